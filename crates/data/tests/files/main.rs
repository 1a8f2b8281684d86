//! Data that comes from files: sound, damaged, and the real MNIST where it is at hand.

mod folder;
mod idx;
mod real_mnist;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// The bytes of an IDX file of unsigned bytes.
fn idx_bytes(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, u8::try_from(shape.len()).unwrap()];
    bytes.extend(shape.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend_from_slice(data);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
