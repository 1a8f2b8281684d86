//! Batches of sequences of different lengths: padded to the longest, and cut so that little is padded.

use crate::DataError;
use chainrule_tensor::Rng;

/// Sequences of one batch, row by row, filled up to the longest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Padded {
    /// The tokens, `[n, longest]`.
    pub tokens: Vec<usize>,
    /// The number of sequences and the length of the longest.
    pub shape: [usize; 2],
    /// How many tokens of each row are its own.
    pub lengths: Vec<usize>,
}

/// Fills up sequences with the token `padding`.
///
/// # Errors
/// If there is no sequence, or an empty one.
pub fn pad(sequences: &[impl AsRef<[usize]>], padding: usize) -> Result<Padded, DataError> {
    let lengths: Vec<usize> = sequences.iter().map(|sequence| sequence.as_ref().len()).collect();
    let Some(&longest) = lengths.iter().max() else {
        return Err(DataError::Text { problem: "a batch needs at least one sequence".into() });
    };
    if let Some(at) = lengths.iter().position(|&length| length == 0) {
        return Err(DataError::Text { problem: format!("sequence {at} is empty (sequences count from 0)") });
    }
    let row = |sequence: &[usize]| {
        let padding = std::iter::repeat_n(padding, longest - sequence.len());
        sequence.iter().copied().chain(padding).collect::<Vec<_>>()
    };
    let tokens = sequences.iter().flat_map(|sequence| row(sequence.as_ref())).collect();
    Ok(Padded { tokens, shape: [lengths.len(), longest], lengths })
}

/// Batches of at most `size` sequences of similar lengths, in a new random order: the numbers of the sequences in each.
///
/// Sequences are shuffled, sorted by length within pools of fifty batches, and cut; then the batches are shuffled. So almost nothing is
/// padded, and no two passes have the same batches.
///
/// # Panics
/// If `size` is 0.
#[track_caller]
pub fn length_buckets(lengths: &[usize], size: usize, rng: &mut Rng) -> Vec<Vec<usize>> {
    const POOL: usize = 50;
    assert!(size > 0, "length_buckets: a batch needs at least one sequence, got size 0");
    let mut order = rng.permutation(lengths.len());
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for pool in order.chunks_mut(size.saturating_mul(POOL)) {
        pool.sort_by_key(|&at| lengths[at]);
        batches.extend(pool.chunks(size).map(<[usize]>::to_vec));
    }
    rng.shuffle(&mut batches);
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_filled_up() {
        let batch = pad(&[vec![1, 2, 3], vec![4], vec![5, 6]], 9).unwrap();
        assert_eq!((batch.shape, &batch.lengths[..]), ([3, 3], &[3, 1, 2][..]));
        assert_eq!(batch.tokens, [1, 2, 3, 4, 9, 9, 5, 6, 9]);
        let message = |sequences: &[Vec<usize>]| pad(sequences, 0).unwrap_err().to_string();
        assert_eq!(message(&[]), "a batch needs at least one sequence");
        assert_eq!(message(&[vec![1], vec![]]), "sequence 1 is empty (sequences count from 0)");
    }

    #[test]
    fn every_sequence_comes_once_and_little_is_padded() {
        let mut rng = Rng::seed_from_u64(1);
        let lengths: Vec<usize> = (0..1000).map(|_| 1 + rng.below(100)).collect();
        let batches = length_buckets(&lengths, 16, &mut rng);
        let mut seen: Vec<usize> = batches.concat();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..1000));
        let longest = |batch: &Vec<usize>| batch.iter().map(|&at| lengths[at]).max().unwrap() * batch.len();
        let padded: usize = batches.iter().map(longest).sum();
        let total: usize = lengths.iter().sum();
        assert!((padded as f64) < 1.06 * total as f64, "{padded} of {total}");
        assert_ne!(batches, length_buckets(&lengths, 16, &mut rng));
        assert!(length_buckets(&[], 4, &mut rng).is_empty());
    }
}
