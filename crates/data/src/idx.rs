//! The IDX format of MNIST and its kin: an array of bytes behind a short header.
//!
//! ```text
//! 0  0  type  d      magic number: two zeros, the element type, the number of dimensions
//! size_1 .. size_d   d sizes, 32 bits each, big-endian
//! elements           row-major, as many as the product of the sizes
//! ```
//!
//! Files of unsigned bytes (type 8) are read, plain or packed with gzip; which of the two is seen from the content, not
//! from the name. A file is not trusted: what its header claims is never allocated ahead, memory grows with the bytes that
//! are really there, and no more than the claimed size is ever unpacked.
//!
//! Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits" (1998), its section on file formats.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::DataError;

/// The content of an IDX file of unsigned bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    /// The size of each dimension, at least one.
    pub shape: Vec<usize>,
    /// The elements in row-major order: as many as the product of `shape`.
    pub data: Vec<u8>,
}

/// Reads a whole IDX file of unsigned bytes, plain or gzip.
///
/// # Errors
/// If the file cannot be read, is damaged, holds more or fewer bytes than its header says, or elements of another type.
pub fn read_idx(path: impl AsRef<Path>) -> Result<Idx, DataError> {
    read_with(path.as_ref(), |reader| {
        let shape = parse_header(reader)?;
        let data = parse_elements(reader, &shape)?;
        Ok(Idx { shape, data })
    })
}

/// Reads only the header of an IDX file: the shape that it claims.
///
/// # Errors
/// If the file cannot be read or its header is damaged.
pub fn read_idx_shape(path: impl AsRef<Path>) -> Result<Vec<usize>, DataError> {
    read_with(path.as_ref(), |reader| parse_header(reader))
}

/// Why a file was not accepted, before its path is known.
enum Fault {
    Io(io::Error),
    Content(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Opens a file, unpacks it if it is gzip, and names it in whatever goes wrong.
fn read_with<T>(path: &Path, parse: impl FnOnce(&mut dyn Read) -> Result<T, Fault>) -> Result<T, DataError> {
    let parsed = File::open(path).map_err(Fault::from).and_then(|file| {
        let mut plain = BufReader::with_capacity(1 << 16, file);
        let is_gzip = plain.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        if !is_gzip {
            return parse(&mut plain);
        }
        parse(&mut MultiGzDecoder::new(plain)).map_err(|fault| match fault {
            Fault::Io(error) if is_damage(&error) => Fault::Content(format!("damaged gzip data: {error}")),
            other => other,
        })
    });
    parsed.map_err(|fault| match fault {
        Fault::Io(cause) => DataError::Io { path: path.to_owned(), cause },
        Fault::Content(problem) => DataError::File { path: path.to_owned(), problem },
    })
}

/// Whether an error comes from unpacking, not from the system.
fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

/// Reads up to `count` bytes, fewer if the file ends; memory grows with what is there.
fn read_at_most(reader: &mut dyn Read, count: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    reader.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse_header(reader: &mut dyn Read) -> Result<Vec<usize>, Fault> {
    let fail = |problem: String| Err(Fault::Content(problem));
    let magic = read_at_most(reader, 4)?;
    let dimensions = match magic[..] {
        [] => return fail("the file is empty".into()),
        [0, 0, 8, dimensions] => usize::from(dimensions),
        [0, 0, code, _] => return fail(format!("holds {}, only unsigned bytes (type 8) are read", type_name(code))),
        [_, _, _, _] => return fail(format!("not an IDX file: it starts with {magic:02x?}, not with two zeros")),
        _ => return fail(format!("cut short: an IDX header has 4 bytes and more, the file has {}", magic.len())),
    };
    if dimensions == 0 {
        return fail("the header gives no dimensions".into());
    }
    let sizes = read_at_most(reader, 4 * dimensions as u64)?;
    if sizes.len() < 4 * dimensions {
        return fail(format!(
            "cut short: the sizes of {dimensions} dimensions take {} bytes, the file has {}",
            4 * dimensions,
            sizes.len()
        ));
    }
    Ok(sizes.chunks_exact(4).map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize).collect())
}

fn parse_elements(reader: &mut dyn Read, shape: &[usize]) -> Result<Vec<u8>, Fault> {
    let fail = |problem: String| Err(Fault::Content(problem));
    let Some(claimed) = element_count(shape) else {
        return fail(format!("the header claims {} bytes, more than can be addressed", product_text(shape)));
    };
    // One byte more than claimed shows whether anything follows; for gzip it also has the checksum verified.
    let mut data = read_at_most(reader, claimed + 1)?;
    let found = data.len() as u64;
    if found < claimed {
        return fail(format!("cut short: the header claims {}, {found} follow", size_text(shape, claimed)));
    }
    if found > claimed {
        return fail(format!("more bytes follow than the {} of the header", size_text(shape, claimed)));
    }
    data.shrink_to_fit();
    Ok(data)
}

/// The product of the sizes, if a `Vec` could have that length.
fn element_count(shape: &[usize]) -> Option<u64> {
    if shape.contains(&0) {
        return Some(0);
    }
    let count = shape.iter().try_fold(1_u64, |product, &size| product.checked_mul(size as u64))?;
    (count < isize::MAX as u64).then_some(count)
}

/// `60000x28x28 = 47040000 bytes`.
fn size_text(shape: &[usize], count: u64) -> String {
    if shape.len() == 1 { format!("{count} bytes") } else { format!("{} = {count} bytes", product_text(shape)) }
}

/// `60000x28x28`; a damaged header may claim 255 dimensions, of which the first few say enough.
fn product_text(shape: &[usize]) -> String {
    let mut sizes: Vec<String> = shape.iter().take(6).map(usize::to_string).collect();
    if shape.len() > 6 {
        sizes.push("..".into());
    }
    sizes.join("x")
}

fn type_name(code: u8) -> String {
    match code {
        0x09 => "signed bytes".into(),
        0x0b => "16-bit integers".into(),
        0x0c => "32-bit integers".into(),
        0x0d => "32-bit floats".into(),
        0x0e => "64-bit floats".into(),
        _ => format!("elements of the unknown type {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts what is taken from it, and never ends.
    struct Endless {
        taken: u64,
    }

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(0);
            self.taken += buffer.len() as u64;
            Ok(buffer.len())
        }
    }

    #[test]
    fn takes_no_more_than_the_header_claims() {
        let mut bomb = Endless { taken: 0 };
        let Err(Fault::Content(problem)) = parse_elements(&mut bomb, &[10, 10]) else {
            panic!("a file that never ends was accepted");
        };
        assert_eq!(problem, "more bytes follow than the 10x10 = 100 bytes of the header");
        assert_eq!(bomb.taken, 101);
    }

    #[test]
    fn counts_without_overflow() {
        let huge = u32::MAX as usize;
        assert_eq!(element_count(&[60_000, 28, 28]), Some(47_040_000));
        assert_eq!(element_count(&[huge, huge, huge, 0]), Some(0));
        assert_eq!(element_count(&[huge, huge, huge]), None);
        assert_eq!(element_count(&[huge, huge]), None);
        assert_eq!(element_count(&[2; 255]), None);
    }
}
