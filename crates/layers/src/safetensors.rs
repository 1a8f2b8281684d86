//! State dicts in files, in the safetensors format that PyTorch users exchange weights in.
//!
//! ```text
//! bytes 0..8        n: the length of the header, little-endian
//! bytes 8..8 + n    the header, JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..,
//!                   "__metadata__": {"key": "value", ..}}, padded with spaces
//! the rest          the numbers, little-endian and row-major, at their offsets from here, without gaps
//! ```
//!
//! The same state and metadata give the same bytes. A file is written beside its target and renamed when it is complete, so
//! that a crash leaves the old file or the new one, never half of one. What is read is not trusted: every claim of the
//! header is checked against the bytes that are there before anything is done with it.
//!
//! Source: the format's description, <https://github.com/huggingface/safetensors#format>.

use crate::{StateDict, StateError, write_whole};
use chainrule_tensor::{Real, Shape, Tensor};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Text by key, stored with the tensors: a model's configuration, for example.
pub type Metadata = BTreeMap<String, String>;

/// The header's key for metadata, which no tensor can have.
const METADATA: &str = "__metadata__";
/// Bytes before the header.
const PREFIX: usize = 8;

/// Writes a state dict and metadata to a safetensors file, as `F32` or `F64` after `T`.
///
/// The file appears whole or not at all ([`write_whole`]).
///
/// # Errors
/// If the file cannot be written. What was there before is still there then.
pub fn save_safetensors<T: Real>(
    path: impl AsRef<Path>,
    state: &StateDict<T>,
    metadata: &Metadata,
) -> Result<(), StateError> {
    let path = path.as_ref();
    let problem = |problem: &str| StateError::File { path: path.into(), problem: problem.into() };
    if state.get(METADATA).is_some() {
        return Err(problem("no tensor can be named __metadata__ in a safetensors file"));
    }
    write_whole(path, |file| write(file, state, metadata))
        .map_err(|cause| StateError::Write { path: path.into(), cause })
}

/// Reads a safetensors file: the tensors in the order of their numbers, and the metadata.
///
/// `F32` and `F64` numbers are converted to `T`, and so are the integers `*.num_batches_tracked` that PyTorch's batch norm
/// stores. Integers of transformers that need no place here are left out: `*.position_ids` and `*.token_type_ids`.
///
/// # Errors
/// If the file cannot be read, is damaged, or holds other types of numbers.
pub fn load_safetensors<T: Real>(path: impl AsRef<Path>) -> Result<(StateDict<T>, Metadata), StateError> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(|cause| StateError::Read { path: path.into(), cause })?;
    parse(&bytes).map_err(|problem| StateError::File { path: path.into(), problem })
}

fn write<T: Real>(file: &mut dyn Write, state: &StateDict<T>, metadata: &Metadata) -> io::Result<()> {
    let header = header(state, metadata);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    let mut bytes = Vec::new();
    for (_, tensor) in state.iter() {
        for part in tensor.to_vec().chunks(4096) {
            bytes.clear();
            part.iter().for_each(|x| x.write_le(&mut bytes));
            file.write_all(&bytes)?;
        }
    }
    Ok(())
}

fn header<T: Real>(state: &StateDict<T>, metadata: &Metadata) -> String {
    let mut entries = Map::new();
    if !metadata.is_empty() {
        entries.insert(METADATA.into(), json!(metadata));
    }
    let mut begin = 0;
    for (name, tensor) in state.iter() {
        let end = begin + tensor.numel() * T::BYTES;
        let shape: &[usize] = tensor.shape();
        entries.insert(
            name.into(),
            json!({ "dtype": T::NAME.to_uppercase(), "shape": shape, "data_offsets": [begin, end] }),
        );
        begin = end;
    }
    let mut header = Value::Object(entries).to_string();
    // The numbers begin at a multiple of their size, for readers that map the file into memory.
    while !header.len().is_multiple_of(PREFIX) {
        header.push(' ');
    }
    header
}

/// One entry of the header, checked.
struct Record {
    name: String,
    dtype: String,
    shape: Shape,
    begin: usize,
    end: usize,
}

/// The content of a file, or what is wrong with it.
fn parse<T: Real>(bytes: &[u8]) -> Result<(StateDict<T>, Metadata), String> {
    let (prefix, rest) = bytes.split_at_checked(PREFIX).ok_or("too short for a safetensors file")?;
    let length = u64::from_le_bytes(prefix.try_into().expect("the prefix has 8 bytes"));
    let (header, numbers) = usize::try_from(length)
        .ok()
        .and_then(|length| rest.split_at_checked(length))
        .ok_or("no safetensors file, or cut off within its header")?;
    let header = serde_json::from_slice(header).map_err(|error| format!("the header is damaged: {error}"))?;
    let Value::Object(mut header) = header else { return Err("the header is damaged: it is no object".into()) };

    let metadata = match header.remove(METADATA) {
        None => Metadata::new(),
        Some(value) => {
            serde_json::from_value(value).map_err(|_| "the metadata are damaged: they are no texts by key")?
        }
    };
    let mut records = header.iter().map(|(name, entry)| record(name, entry)).collect::<Result<Vec<_>, _>>()?;
    records.sort_by_key(|record| (record.begin, record.end));

    let mut state = StateDict::new();
    let mut begin = 0;
    for Record { name, dtype, shape, begin: at, end } in records {
        let data = numbers.get(at..end).filter(|_| at == begin).ok_or_else(|| {
            format!("cut off or damaged: {name:?} should lie at {at}..{end} of {} bytes", numbers.len())
        })?;
        begin = end;
        let fits = |size: usize| shape.numel().checked_mul(size) == Some(data.len());
        let tensor = match dtype.as_str() {
            "F32" if fits(4) => Tensor::from_fn(&shape, element::<f32, T>(data)),
            "F64" if fits(8) => Tensor::from_fn(&shape, element::<f64, T>(data)),
            "F32" | "F64" => return Err(format!("{name:?} of shape {shape} cannot have {} bytes", data.len())),
            "I64" if is_batch_count(&name) && fits(8) => Tensor::from_fn(&shape, |i| {
                let bytes = data[i * 8..].first_chunk().expect("eight bytes for each number");
                T::from_f64(i64::from_le_bytes(*bytes) as f64)
            }),
            "I8" | "I16" | "I32" | "I64" | "U8" | "U16" | "U32" | "U64" if needs_no_place(&name) => continue,
            _ => return Err(format!("{name:?} has numbers of type {dtype:?}; only F32 and F64 can be read")),
        };
        state.insert(name, &tensor);
    }
    if begin != numbers.len() {
        return Err(format!("damaged: {} bytes belong to no tensor", numbers.len() - begin));
    }
    Ok((state, metadata))
}

/// Reads the header's claim about one tensor.
fn record(name: &str, entry: &Value) -> Result<Record, String> {
    let number = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok());
    let numbers = |key: &str| entry.get(key)?.as_array()?.iter().map(number).collect::<Option<Vec<_>>>();
    let read = || {
        let dtype = entry.get("dtype")?.as_str()?.to_string();
        let shape = numbers("shape")?;
        // Strides multiply the sizes too, taking an empty dimension for one.
        shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size.max(1)))?;
        let &[begin, end] = &numbers("data_offsets")?[..] else { return None };
        (begin <= end).then(|| Record { name: name.into(), dtype, shape: shape.into(), begin, end })
    };
    read().ok_or_else(|| format!("the header's entry for {name:?} is damaged"))
}

/// The `i`-th of these numbers of type `S`, as a `T`.
fn element<S: Real, T: Real>(bytes: &[u8]) -> impl FnMut(usize) -> T {
    move |i| T::from_f64(S::read_le(&bytes[i * S::BYTES..]).to_f64())
}

/// PyTorch counts the batches that a batch norm has seen, though only one that averages over all of them needs the count.
pub(crate) fn is_batch_count(name: &str) -> bool {
    name.rsplit('.').next() == Some("num_batches_tracked")
}

/// Files of transformers may hold the numbers 0, 1, .. as `position_ids`, and zeros as `token_type_ids`.
fn needs_no_place(name: &str) -> bool {
    matches!(name.rsplit('.').next(), Some("position_ids" | "token_type_ids"))
}
