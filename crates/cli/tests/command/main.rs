//! The `chainrule` command from the outside: what it prints, what it writes, how it fails.

mod damage;
mod failures;
mod folder;
mod mnist;
mod predict;
mod sequences;
mod train;

use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The command, to be run in a folder, with no data sets but the embedded ones.
fn command(folder: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chainrule"));
    command.current_dir(folder).args(args).env_remove("CHAINRULE_DATA");
    command
}

/// What the command prints, given that it succeeds and has nothing to complain about.
#[track_caller]
fn prints(folder: &Path, args: &[&str]) -> String {
    succeeds(&command(folder, args).output().unwrap())
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && err.is_empty(), "{}: {err}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What the command has to say on standard error, given that it fails as it should: one line, no panic.
#[track_caller]
fn fails(folder: &Path, args: &[&str]) -> String {
    complaint(&command(folder, args).output().unwrap())
}

#[track_caller]
fn complaint(output: &Output) -> String {
    let err = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(matches!(output.status.code(), Some(1 | 2)), "{}: {err}", output.status);
    let line = err.strip_suffix('\n').unwrap_or_else(|| panic!("no line on standard error: {err:?}"));
    assert!(!line.contains('\n'), "more than one line: {err}");
    line.strip_prefix("error: ").unwrap_or_else(|| panic!("no error: {err}")).to_string()
}

/// The names in a folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn metrics(run: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(run.join("metrics.json")).unwrap()).unwrap()
}

/// The bytes of an IDX file.
fn idx(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let sizes = shape.iter().flat_map(|size| size.to_be_bytes());
    [0, 0, 8, shape.len() as u8].into_iter().chain(sizes).chain(data.iter().copied()).collect()
}
