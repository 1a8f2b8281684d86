//! The source tree, read as text.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the workspace.
///
/// # Panics
/// If this crate does not stand in a folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate stands in the workspace").to_path_buf()
}

/// A text file of the project.
pub struct Source {
    /// Where it stands, from the root of the workspace on, with `/` between folders.
    pub path: String,
    /// What it says.
    pub text: String,
}

impl Source {
    /// Its lines with their numbers, from 1 on.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, line))
    }
}

/// All text files of the project, in alphabetical order: not what is hidden, built (`target`) or written by runs (`runs`).
///
/// # Panics
/// If a folder or a file cannot be read.
pub fn sources() -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let entry = entry.expect("a folder that stays as it is");
            let (name, kind) = (entry.file_name(), entry.file_type().expect("a known type"));
            let name = name.to_string_lossy();
            if name.starts_with('.') || name == "target" || name == "runs" {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.extend(read(&root, &entry.path()));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The file, if it is text.
fn read(root: &Path, path: &Path) -> Option<Source> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let parts: Vec<_> = path.strip_prefix(root).ok()?.iter().map(|part| part.to_string_lossy()).collect();
    Some(Source { path: parts.join("/"), text: String::from_utf8(bytes).ok()? })
}

/// All Rust files of the project.
///
/// # Panics
/// As [`sources`].
pub fn rust_sources() -> Vec<Source> {
    sources().into_iter().filter(|source| source.path.ends_with(".rs")).collect()
}
