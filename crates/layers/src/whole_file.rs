//! [`write_whole`]: a file that appears complete or not at all.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes a file under another name in the same folder, syncs it, and renames it when it is complete. A crash leaves what
/// was there before or the new file, never half of one; what had been written until then stays under the other name.
///
/// # Errors
/// If `content` fails or the file cannot be written. What was there before is still there then.
pub fn write_whole(path: impl AsRef<Path>, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let path = path.as_ref();
    let name = path.file_name();
    let name = name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "this is no name for a file"))?;
    let (temporary, file) = create_temporary(path, name)?;
    let written = write(file, content).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // What is left of the attempt; that it could not be removed either would hide the cause.
        let _ = fs::remove_file(&temporary);
    } else {
        sync_folder(path);
    }
    written
}

/// A new file `.name.process-count.tmp` beside the target. The number of a process comes again, in a container always: a name
/// that is taken belongs to another save, or to one that was killed.
fn create_temporary(path: &Path, name: &OsStr) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        let temporary = path.with_file_name(temporary);
        match File::create_new(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (temporary, file)),
        }
    }
}

fn write(file: File, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    content(&mut file)?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// Makes the renaming itself last. Only Unix can; where it fails the file is still whole, old or new.
fn sync_folder(path: &Path) {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(test)]
mod tests {
    use super::write_whole;
    use std::io;

    #[test]
    fn a_failure_leaves_the_old_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        write_whole(&path, |file| file.write_all(b"old")).unwrap();
        let failed = write_whole(&path, |file| {
            file.write_all(b"new")?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no more");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        write_whole(&path, |file| file.write_all(b"new")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert!(write_whole(folder.path().join(".."), |_| Ok(())).is_err());
    }

    #[test]
    fn what_a_killed_process_of_the_same_number_left_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        // Other tests of this process use names as well: so many that this one has to meet some of them.
        let name = |count| format!(".notes.{}-{count}.tmp", std::process::id());
        let left: Vec<_> = (0..1000).map(|count| folder.path().join(name(count))).collect();
        left.iter().for_each(|name| std::fs::write(name, "theirs").unwrap());
        write_whole(&path, |file| file.write_all(b"ours")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"ours");
        assert!(left.iter().all(|name| std::fs::read(name).unwrap() == b"theirs"));
    }
}
