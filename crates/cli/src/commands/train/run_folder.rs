//! [`RunFolder`]: the folder of a run, in which all files appear or none.

use crate::error::CliError;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder that is about to get files. Until [`commit`](RunFolder::commit) they lie in a hidden folder inside; if it never
/// comes to that, dropping this removes all that was made.
pub(super) struct RunFolder {
    path: PathBuf,
    files: &'static [&'static str],
    staging: PathBuf,
    /// The folders that were made for the run, from the innermost out.
    made: Vec<PathBuf>,
}

impl RunFolder {
    /// Finds out whether these files could be written, and leaves no trace: to be called before hours of training.
    pub(super) fn check(path: &Path, files: &'static [&'static str]) -> Result<(), CliError> {
        Self::open(path, files).map(drop)
    }

    /// Makes the folder, with its parents, unless it is there.
    pub(super) fn open(path: &Path, files: &'static [&'static str]) -> Result<Self, CliError> {
        let missing = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let run = RunFolder {
            path: path.to_owned(),
            files,
            staging: path.join(format!(".unfinished-{}", std::process::id())),
            made: missing.map(Path::to_owned).collect(),
        };
        // What a killed process of the same number has left behind.
        let _ = fs::remove_dir_all(&run.staging);
        fs::create_dir_all(path)
            .and_then(|()| fs::create_dir(&run.staging))
            .map_err(|e| CliError::Folder(path.to_owned(), e.to_string()))?;
        match files.iter().find(|file| path.join(file).is_dir()) {
            Some(file) => Err(CliError::Folder(path.to_owned(), format!("there is a folder {file} in it"))),
            None => Ok(run),
        }
    }

    /// Where to write a file until all are written.
    pub(super) fn staged(&self, file: &str) -> PathBuf {
        self.staging.join(file)
    }

    /// Moves the files to their place. Returns their paths.
    pub(super) fn commit(mut self) -> Result<Vec<PathBuf>, CliError> {
        for file in self.files {
            fs::rename(self.staged(file), self.path.join(file))
                .map_err(|e| CliError::Folder(self.path.clone(), e.to_string()))?;
        }
        self.made.clear();
        Ok(self.files.iter().map(|file| self.path.join(file)).collect())
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // There is nobody to tell about a failure here; only empty folders are removed beside our own.
        let _ = fs::remove_dir_all(&self.staging);
        for folder in &self.made {
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &[&str] = &["a", "b"];

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_appear_together() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("x/y");
        let run = RunFolder::open(&path, FILES).unwrap();
        for file in FILES {
            fs::write(run.staged(file), file).unwrap();
            assert!(!path.join(file).exists());
        }
        assert_eq!(run.commit().unwrap(), [path.join("a"), path.join("b")]);
        assert_eq!(names(&path), FILES);
    }

    #[test]
    fn what_is_not_committed_leaves_no_trace() {
        let root = tempfile::tempdir().unwrap();
        RunFolder::check(&root.path().join("x/y"), FILES).unwrap();
        assert!(names(root.path()).is_empty());
        fs::write(root.path().join("a"), "old").unwrap();
        let run = RunFolder::open(root.path(), FILES).unwrap();
        fs::write(run.staged("a"), "new").unwrap();
        drop(run);
        assert_eq!(names(root.path()), ["a"]);
        assert_eq!(fs::read_to_string(root.path().join("a")).unwrap(), "old");
    }

    #[test]
    fn what_is_in_the_way_is_named_and_stays() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("b")).unwrap();
        fs::write(root.path().join("a"), "old").unwrap();
        let problem = |path: &Path| RunFolder::check(path, FILES).unwrap_err().to_string();
        assert!(problem(root.path()).ends_with("there is a folder b in it"));
        assert!(problem(&root.path().join("a")).starts_with("cannot use the folder"));
        assert!(problem(&root.path().join("a/c")).starts_with("cannot use the folder"));
        assert_eq!(names(root.path()), ["a", "b"]);
    }
}
