//! The IDX reader against every damage a file can take.

use std::fs;
use std::path::{Path, PathBuf};

use chainrule_data::{DataError, Idx, read_idx, read_idx_shape};
use tempfile::TempDir;

use crate::{gzip, idx_bytes};

/// A folder with one file.
struct Scratch {
    _folder: TempDir,
    path: PathBuf,
}

impl Scratch {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("array");
        Self { _folder: folder, path }
    }

    fn read(&self, bytes: &[u8]) -> Result<Idx, DataError> {
        fs::write(&self.path, bytes).unwrap();
        read_idx(&self.path)
    }

    /// What is said about these bytes, without the path that it starts with.
    fn problem(&self, bytes: &[u8]) -> String {
        let message = self.read(bytes).expect_err("damage was accepted").to_string();
        assert!(!message.contains('\n'), "{message:?} is more than one line");
        let prefix = format!("{}: ", self.path.display());
        message.strip_prefix(&prefix).unwrap_or_else(|| panic!("{message:?} does not name the file")).to_owned()
    }
}

fn sample() -> (Idx, Vec<u8>) {
    let data: Vec<u8> = (0..24).map(|i| i * 10).collect();
    (Idx { shape: vec![2, 3, 4], data: data.clone() }, idx_bytes(&[2, 3, 4], &data))
}

#[test]
fn reads_plain_and_packed_files_whatever_their_name() {
    let (expected, bytes) = sample();
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("a", &bytes), ("b.gz", &bytes), ("c", &gzip(&bytes)), ("d.gz", &gzip(&bytes))] {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        assert_eq!(read_idx(&path).unwrap(), expected);
        assert_eq!(read_idx_shape(&path).unwrap(), expected.shape);
    }
}

#[test]
fn reads_any_number_of_dimensions() {
    let scratch = Scratch::new();
    for shape in [&[5_u32][..], &[0], &[0, 28, 28], &[1, 2, 1, 3, 1], &[1; 255], &[u32::MAX, u32::MAX, u32::MAX, 0]] {
        let n = shape.iter().fold(1_u32, |product, &size| product.saturating_mul(size));
        let n = if shape.contains(&0) { 0 } else { n as usize };
        let data = vec![9; n];
        let idx = scratch.read(&idx_bytes(shape, &data)).unwrap();
        assert!(idx.shape.iter().map(|&size| size as u32).eq(shape.iter().copied()));
        assert_eq!(idx.data, data);
    }
}

#[test]
fn reads_gzip_files_of_several_members() {
    let (expected, bytes) = sample();
    let packed = [gzip(&bytes[..7]), gzip(&bytes[7..30]), gzip(&bytes[30..])].concat();
    assert_eq!(Scratch::new().read(&packed).unwrap(), expected);
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let (_, bytes) = sample();
    let scratch = Scratch::new();
    for whole in [bytes.clone(), gzip(&bytes)] {
        for length in 0..whole.len() {
            scratch.problem(&whole[..length]);
        }
    }
    assert_eq!(scratch.problem(&[]), "the file is empty");
    assert_eq!(scratch.problem(&bytes[..3]), "cut short: an IDX header has 4 bytes and more, the file has 3");
    assert_eq!(scratch.problem(&bytes[..9]), "cut short: the sizes of 3 dimensions take 12 bytes, the file has 5");
    assert_eq!(scratch.problem(&bytes[..39]), "cut short: the header claims 2x3x4 = 24 bytes, 23 follow");
}

#[test]
fn any_changed_byte_is_survived_and_gzip_sees_it() {
    let (expected, bytes) = sample();
    let packed = gzip(&bytes);
    let scratch = Scratch::new();
    for flip in [0x01_u8, 0x80, 0xff] {
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            // Past the header any byte is as good as another; within it nothing fits any more.
            assert_eq!(scratch.read(&damaged).is_ok(), at >= 16, "byte {at}");
        }
        for at in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] ^= flip;
            // Only the time stamp and the like may change unnoticed.
            if let Ok(idx) = scratch.read(&damaged) {
                assert_eq!(idx, expected, "byte {at}");
            }
        }
    }
}

#[test]
fn claims_that_no_file_could_keep_cost_nothing() {
    let scratch = Scratch::new();
    // 2^31 items in 20 bytes, 2^62 items, and more than a machine can address.
    let twenty = idx_bytes(&[1 << 31], &[7; 12]);
    assert_eq!(twenty.len(), 20);
    assert_eq!(scratch.problem(&twenty), "cut short: the header claims 2147483648 bytes, 12 follow");
    for packed in [false, true] {
        let problem = |bytes: Vec<u8>| scratch.problem(&if packed { gzip(&bytes) } else { bytes });
        assert!(problem(idx_bytes(&[1 << 31, 1 << 31], &[7; 4])).contains("4 follow"));
        assert_eq!(
            problem(idx_bytes(&[u32::MAX; 3], &[7; 4])),
            "the header claims 4294967295x4294967295x4294967295 bytes, more than can be addressed"
        );
        assert!(problem(idx_bytes(&[2; 255], &[])).contains("2x2x2x2x2x2x.. bytes, more than can be addressed"));
    }
}

#[test]
fn bytes_beyond_the_claim_are_an_error() {
    let (_, mut bytes) = sample();
    let scratch = Scratch::new();
    let mut packed = gzip(&bytes);
    packed.push(0);
    assert!(scratch.problem(&packed).starts_with("damaged gzip data"), "rubbish after the archive");
    bytes.push(0);
    for content in [bytes.clone(), gzip(&bytes)] {
        assert_eq!(scratch.problem(&content), "more bytes follow than the 2x3x4 = 24 bytes of the header");
    }
    // 64 MB that unpack from 64 KB: given up at the first byte too many.
    let bomb = gzip(&idx_bytes(&[10], &vec![0; 64 << 20]));
    assert!(bomb.len() < 100_000);
    assert_eq!(scratch.problem(&bomb), "more bytes follow than the 10 bytes of the header");
}

#[test]
fn other_content_is_told_by_what_it_is() {
    let scratch = Scratch::new();
    let (_, mut bytes) = sample();
    for (code, name) in [
        (0x09, "signed bytes"),
        (0x0b, "16-bit integers"),
        (0x0c, "32-bit integers"),
        (0x0d, "32-bit floats"),
        (0x0e, "64-bit floats"),
        (0x0a, "elements of the unknown type 10"),
    ] {
        bytes[2] = code;
        assert_eq!(scratch.problem(&bytes), format!("holds {name}, only unsigned bytes (type 8) are read"));
    }
    assert_eq!(scratch.problem(&[0, 0, 8, 0, 1]), "the header gives no dimensions");
    assert_eq!(scratch.problem(b"%PDF-1.7"), "not an IDX file: it starts with [25, 50, 44, 46], not with two zeros");
}

#[test]
fn what_the_system_refuses_is_told_with_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    for path in [absent.as_path(), folder.path()] {
        let message = read_idx(path).unwrap_err().to_string();
        assert!(message.starts_with(&format!("cannot read {}: ", path.display())), "{message}");
    }
    assert!(matches!(read_idx(Path::new("")), Err(DataError::Io { .. })));
}
