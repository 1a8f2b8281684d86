//! The rules that the source tree keeps. Each failure says which file broke which rule, and what to do.

use chainrule_tests::tree::{self, Source, rust_sources, sources};
use std::fs;

/// No file is longer.
const MAX_LINES: usize = 500;

/// All that PyTorch has computed for the tests takes less room.
const MAX_FIXTURES: u64 = 3_000_000;

/// Which crates of the project each crate may depend on: arrows point one way.
const ARROWS: &[(&str, &[&str])] = &[
    ("kernels", &[]),
    ("derive", &[]),
    ("tensor", &["kernels"]),
    ("layers", &["kernels", "tensor", "derive"]),
    ("optim", &["kernels", "tensor", "layers"]),
    ("data", &["kernels", "tensor"]),
    ("train", &["kernels", "tensor", "derive", "layers", "optim", "data"]),
    ("models", &["kernels", "tensor", "derive", "layers", "optim", "data", "train"]),
    ("chainrule", &["kernels", "tensor", "derive", "layers", "optim", "data", "train", "models"]),
    ("cli", &["kernels", "tensor", "derive", "layers", "optim", "data", "train", "models", "chainrule"]),
];

/// The crates whose users want nothing but mathematics, and the dependencies that have no place there.
const CORE: &[&str] = &["kernels", "tensor", "layers", "optim"];
const FRILLS: &[&str] = &["clap", "indicatif"];

/// Fails with all complaints at once.
#[track_caller]
fn expect_none(rule: &str, complaints: &[String]) {
    assert!(complaints.is_empty(), "{rule}\n  {}", complaints.join("\n  "));
}

/// The lines that are code: without comments, and without the contents of strings that begin and end on one line.
fn code(source: &Source) -> impl Iterator<Item = (usize, String)> {
    source.lines().map(|(number, line)| (number, strip(line)))
}

fn strip(line: &str) -> String {
    let (mut code, mut in_string, mut previous) = (String::new(), false, ' ');
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' if in_string => {
                rest.next();
            }
            // A quotation mark as a character is no string.
            '"' if previous != '\'' || in_string => {
                in_string = !in_string;
                code.push(c);
            }
            '/' if !in_string && rest.peek() == Some(&'/') => break,
            _ if !in_string => code.push(c),
            _ => {}
        }
        previous = c;
    }
    code
}

/// Where a word stands in a line, as a word of its own.
fn find_word(line: &str, word: &str) -> Option<usize> {
    let of_a_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .map(|(at, _)| at)
        .find(|&at| !line[..at].ends_with(of_a_word) && !line[at + word.len()..].starts_with(of_a_word))
}

#[test]
fn files_are_short() {
    let long = |source: Source| {
        let lines = source.text.lines().count();
        (lines > MAX_LINES).then(|| format!("{}: {lines} lines", source.path))
    };
    let complaints: Vec<_> = rust_sources().into_iter().filter_map(long).collect();
    expect_none(&format!("a file has one concept and at most {MAX_LINES} lines; cut these:"), &complaints);
}

#[test]
fn fixtures_are_small() {
    let sizes = ["ops", "layers", ""].into_iter().flat_map(chainrule_tests::fixture::files);
    let total: u64 = sizes.map(|path| path.metadata().expect("a file that stays").len()).sum();
    assert!(total < MAX_FIXTURES, "tests/fixtures holds {total} bytes: use smaller shapes in tests/generate");
}

#[test]
fn operations_are_complete() {
    let mut complaints = Vec::new();
    let mut operations = 0;
    for Source { path, text } in rust_sources() {
        if !path.starts_with("crates/tensor/src/ops/") || !text.contains("static INFO: OpInfo") {
            continue;
        }
        operations += 1;
        let mut demand = |holds: bool, what: &str| {
            if !holds {
                complaints.push(format!("{path} lacks {what}"));
            }
        };
        let header: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        let row = |name: &str| header.iter().any(|line| line.starts_with(&format!("//! | {name} |")));
        demand(row("equation"), "a header with a row `| equation | .. |`");
        demand(row("derivative"), "a header with a row `| derivative | .. |`");
        demand(text.contains("#[test]\n    fn worked_example()"), "a test `worked_example`");
        demand(text.contains("#[test]\n    fn gradcheck()"), "a test `gradcheck`");
    }
    expect_none("an operation has a header, a worked example and a gradient check:", &complaints);
    assert_eq!(operations, chainrule_tensor::ops::ALL.len(), "files with an INFO, and operations in `ops::ALL`");
    assert!(chainrule_tensor::ops::FILES.is_sorted(), "the list in ops/mod.rs is in alphabetical order");
}

#[test]
fn dangerous_code_is_confined_and_explained() {
    let word = concat!("un", "safe");
    let (mut strays, mut bare) = (Vec::new(), Vec::new());
    for source in rust_sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in code(&source) {
            let Some(at) = find_word(&line, word) else { continue };
            if !source.path.starts_with("crates/kernels/src/") {
                strays.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
            let next = line[at + word.len()..].trim_start();
            let explained = lines[number.saturating_sub(7)..number].iter().any(|line| line.contains("SAFETY"));
            if (next.is_empty() || next.starts_with('{') || find_word(next, "impl") == Some(0)) && !explained {
                bare.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    expect_none(&format!("{word} code stands in crates/kernels/src only:"), &strays);
    expect_none("say why it holds in a comment `// SAFETY: ..`, at most 6 lines above:", &bare);
}

#[test]
fn nothing_is_left_for_later() {
    let unfinished =
        [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("db", "g!("), concat!("#[ig", "nore")];
    let markers = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
    let mut complaints = Vec::new();
    for source in rust_sources() {
        for (number, line) in source.lines() {
            let comment = line.split_once("//").map_or("", |(_, comment)| comment);
            if let Some(found) = markers.iter().find(|marker| find_word(comment, marker).is_some()) {
                complaints.push(format!("{}:{number}: {found}", source.path));
            }
        }
        for (number, line) in code(&source) {
            if let Some(found) = unfinished.iter().find(|found| line.contains(*found)) {
                complaints.push(format!("{}:{number}: {found}", source.path));
            }
        }
    }
    expect_none("finish or remove:", &complaints);
}

/// The names in all tables of dependencies of a manifest, but for those of tests.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            let of_tests = table.contains("dev-dependencies");
            inside = table.ends_with("dependencies") && !of_tests;
            // A table for one dependency: `[dependencies.name]`.
            if let Some((_, name)) = table.split_once("dependencies.")
                && !of_tests
            {
                names.push(name.to_string());
            }
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            names.extend(line.split(['.', '=', ' ']).next().map(str::to_string));
        }
    }
    names
}

#[test]
fn dependencies_are_found_in_manifests() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = { path = \"c\" } # d\n# e = 1\n\
                    [dev-dependencies]\nf = \"1\"\n[target.'cfg(unix)'.dependencies]\ng = \"1\"\n[dependencies.h]\ni = 1\n";
    assert_eq!(dependencies(manifest), ["a", "b", "g", "h"]);
}

#[test]
fn arrows_point_one_way() {
    let mut complaints = Vec::new();
    let crates = fs::read_dir(tree::root().join("crates")).expect("the folder of the crates");
    for folder in crates.map(|entry| entry.expect("a folder that stays as it is").path()) {
        let Ok(manifest) = fs::read_to_string(folder.join("Cargo.toml")) else { continue };
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        let Some((_, allowed)) = ARROWS.iter().find(|(crate_name, _)| *crate_name == name) else {
            complaints.push(format!("crates/{name} is new: give it a place in ARROWS in tests/tests/tidy.rs"));
            continue;
        };
        for dependency in dependencies(&manifest) {
            let other = dependency.strip_prefix("chainrule-").unwrap_or(&dependency);
            let ours = other != dependency || other == "chainrule";
            if ours && !allowed.contains(&other) {
                complaints.push(format!("crates/{name} must not depend on {dependency}"));
            }
            if CORE.contains(&name.as_str()) && FRILLS.contains(&other) {
                complaints.push(format!("crates/{name} is of the core and must not depend on {dependency}"));
            }
        }
    }
    expect_none("crates depend in one direction, as docs/architecture.md has it:", &complaints);
}

#[test]
fn no_paths_of_one_machine() {
    let machine = [concat!("/wo", "rk/"), concat!("/t", "mp/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let mut complaints = Vec::new();
    for source in sources() {
        for (number, line) in source.lines() {
            let absolute = |path: &&str| {
                line.match_indices(path)
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}~/".contains(c)))
            };
            if let Some(path) = machine.iter().find(|path| absolute(path)) {
                complaints.push(format!("{}:{number}: {path}", source.path));
            }
        }
    }
    expect_none("a path must hold on every machine:", &complaints);
}
