//! [`RunFolder`]: the folder of a run, in which all files appear or none: what fails on the way is undone. Only where the system
//! stops between two files can a new one lie beside an old one, each of them whole.

use crate::error::CliError;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A folder that is about to get files. Until [`commit`](RunFolder::commit) they lie in a hidden folder inside; if it never
/// comes to that, dropping this removes all that was made.
pub(super) struct RunFolder {
    path: PathBuf,
    files: &'static [&'static str],
    staging: PathBuf,
    /// Removes them when all else of the run is gone.
    _made: Made,
}

/// The folders that were made for a run, from the innermost out. Dropping this removes those that are empty.
struct Made(Vec<PathBuf>);

impl RunFolder {
    /// Finds out whether these files could be written, and leaves no trace: to be called before hours of training.
    pub(super) fn check(path: &Path, files: &'static [&'static str]) -> Result<(), CliError> {
        Self::open(path, files).map(drop)
    }

    /// Makes the folder, with its parents, unless it is there.
    pub(super) fn open(path: &Path, files: &'static [&'static str]) -> Result<Self, CliError> {
        let missing = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let made = Made(missing.map(Path::to_owned).collect());
        let staging = fs::create_dir_all(path)
            .and_then(|()| create_staging(path))
            .map_err(|e| CliError::Folder(path.to_owned(), e.to_string()))?;
        let run = RunFolder { path: path.to_owned(), files, staging, _made: made };
        match files.iter().find(|file| path.join(file).is_dir()) {
            Some(file) => Err(CliError::Folder(path.to_owned(), format!("there is a folder {file} in it"))),
            None => Ok(run),
        }
    }

    /// Where to write a file until all are written.
    pub(super) fn staged(&self, file: &str) -> PathBuf {
        self.staging.join(file)
    }

    /// Moves the files to their place. Returns their paths. Where one cannot be moved, those before it give their places back.
    pub(super) fn commit(self) -> Result<Vec<PathBuf>, CliError> {
        for (moved, file) in self.files.iter().enumerate() {
            if let Err(error) = self.keep_old(file).and_then(|()| fs::rename(self.staged(file), self.path.join(file))) {
                self.files[..moved].iter().for_each(|file| self.put_back(file));
                return Err(CliError::Folder(self.path.clone(), error.to_string()));
            }
        }
        Ok(self.files.iter().map(|file| self.path.join(file)).collect())
    }

    /// Where what was in a file's place is kept until all are moved.
    fn kept(&self, file: &str) -> PathBuf {
        self.staging.join(format!("{file}.old"))
    }

    /// Gives what is in a file's place, if there is something, a second name.
    fn keep_old(&self, file: &str) -> io::Result<()> {
        let (place, kept) = (self.path.join(file), self.kept(file));
        // Not all file systems can give a file two names.
        match fs::hard_link(&place, &kept).or_else(|_| fs::copy(&place, &kept).map(drop)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Undoes the move of a file. That it fails too would hide the cause.
    fn put_back(&self, file: &str) {
        let (place, kept) = (self.path.join(file), self.kept(file));
        let _ = if kept.exists() { fs::rename(kept, place) } else { fs::remove_file(place) };
    }
}

/// A new folder `.unfinished-process-count` in the folder of the run. The number of a process comes again, in a container always:
/// a name that is taken belongs to another run, or to one that was killed.
fn create_staging(path: &Path) -> io::Result<PathBuf> {
    let mut count = 0u64;
    loop {
        let staging = path.join(format!(".unfinished-{}-{count}", std::process::id()));
        match fs::create_dir(&staging) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => count += 1,
            created => return created.map(|()| staging),
        }
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // There is nobody to tell about a failure here.
        let _ = fs::remove_dir_all(&self.staging);
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for folder in &self.0 {
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
    fn a_failure_between_two_files_puts_the_first_back() {
        for old in [true, false] {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join("run");
            if old {
                fs::create_dir(&path).unwrap();
                fs::write(path.join("a"), "old").unwrap();
            }
            let run = RunFolder::open(&path, FILES).unwrap();
            fs::write(run.staged("a"), "new").unwrap();
            assert!(run.commit().unwrap_err().to_string().starts_with("cannot use the folder"), "b was never written");
            if old {
                assert_eq!(fs::read_to_string(path.join("a")).unwrap(), "old");
                assert_eq!(names(&path), ["a"]);
            } else {
                assert!(!path.exists());
            }
        }
    }

    #[test]
    fn what_others_have_begun_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let theirs = root.path().join(format!(".unfinished-{}-0", std::process::id()));
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("a"), "theirs").unwrap();
        let (one, two) = (RunFolder::open(root.path(), FILES).unwrap(), RunFolder::open(root.path(), FILES).unwrap());
        assert_ne!(one.staged("a"), two.staged("a"));
        fs::write(one.staged("a"), "ours").unwrap();
        drop((one, two));
        assert_eq!(fs::read_to_string(theirs.join("a")).unwrap(), "theirs");
        assert_eq!(names(root.path()).len(), 1);
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
