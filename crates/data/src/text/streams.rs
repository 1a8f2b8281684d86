//! [`TokenStreams`]: a long text as batches for a language model.
//!
//! ```text
//! tokens  a b c d e f g h i j k l m      2 streams, length 3
//!
//! batch 0   a b c -> b c d     batch 1   d e f -> e f g
//!           g h i -> h i j               j k l -> k l m
//! ```
//!
//! Each stream goes on where it was in the batch before: a recurrent net may carry its state from batch to batch. The targets are
//! the inputs, one step on.

use crate::DataError;

/// Cuts the tokens in a training part and, from the end, the share that is held out.
///
/// # Errors
/// If the share is not above 0 and at most 1, or a part has fewer than 2 tokens.
pub fn split_tokens(tokens: &[usize], held_out: f64) -> Result<(&[usize], &[usize]), DataError> {
    let fail = |problem| Err(DataError::Text { problem });
    if !(held_out > 0.0 && held_out <= 1.0) {
        return fail(format!("the held-out share must lie between 0 and 1, got {held_out}"));
    }
    let test = (tokens.len() as f64 * held_out).round() as usize;
    let (train, test) = tokens.split_at(tokens.len() - test);
    for (what, part) in [("training", train), ("test", test)] {
        if part.len() < 2 {
            let all = tokens.len();
            return fail(format!(
                "the text is too short: of {all} tokens, {} are left for the {what} part, which needs at least 2",
                part.len()
            ));
        }
    }
    Ok((train, test))
}

/// A text, cut in parallel streams.
#[derive(Clone, Copy, Debug)]
pub struct TokenStreams<'a> {
    tokens: &'a [usize],
    streams: usize,
    length: usize,
}

/// Inputs and targets `[streams, length]`, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBatch {
    /// The tokens.
    pub inputs: Vec<usize>,
    /// The tokens that follow each of them.
    pub targets: Vec<usize>,
    /// The number of rows and of columns.
    pub shape: [usize; 2],
    /// Whether each row goes on where it ended in the batch before.
    pub continues: bool,
}

impl<'a> TokenStreams<'a> {
    /// Cuts the tokens in `streams` equal parts (what does not fit is left out) to be read `length` tokens at a time. Where
    /// the text is too short for so many streams there are fewer.
    ///
    /// # Errors
    /// If there are fewer than 2 tokens, or a size is 0.
    pub fn new(tokens: &'a [usize], streams: usize, length: usize) -> Result<Self, DataError> {
        let fail = |problem: String| Err(DataError::Text { problem });
        if streams == 0 || length == 0 {
            return fail(format!("a batch needs at least one stream and one token, got {streams} and {length}"));
        }
        if tokens.len() < 2 {
            return fail(format!("the text is too short: {} tokens have no successor to learn", tokens.len()));
        }
        // Streams shorter than a batch would teach less than fewer streams.
        let streams = streams.min(((tokens.len() - 1) / length).max(1));
        Ok(TokenStreams { tokens, streams, length })
    }

    /// The batches in their order, shifted by `shift` tokens: so that passes over the text do not all cut it in the same
    /// places. The last batch may be shorter.
    pub fn batches(self, shift: usize) -> impl ExactSizeIterator<Item = TokenBatch> + use<'a> {
        let all = self.tokens.len() - 1;
        // At least one token must be left for every stream.
        let shift = shift % (all - self.streams + 1).min(self.length).max(1);
        let each = (all - shift) / self.streams;
        (0..each.div_ceil(self.length)).map(move |batch| {
            let (from, to) = (batch * self.length, each.min((batch + 1) * self.length));
            let rows = |next: usize| {
                let row = move |stream: usize| {
                    let start = shift + stream * each + next;
                    self.tokens[start + from..start + to].iter().copied()
                };
                (0..self.streams).flat_map(row).collect()
            };
            TokenBatch { inputs: rows(0), targets: rows(1), shape: [self.streams, to - from], continues: batch > 0 }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_example() {
        let tokens: Vec<usize> = (0..13).collect();
        let batches: Vec<_> = TokenStreams::new(&tokens, 2, 3).unwrap().batches(0).collect();
        let inputs: Vec<_> = batches.iter().map(|batch| batch.inputs.clone()).collect();
        assert_eq!(inputs, [[0, 1, 2, 6, 7, 8], [3, 4, 5, 9, 10, 11]]);
        assert_eq!(batches[1].targets, [4, 5, 6, 10, 11, 12]);
        assert_eq!(batches.iter().map(|batch| batch.continues).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn rows_continue_and_targets_follow() {
        let tokens: Vec<usize> = (0..101).collect();
        for (streams, length) in [(1, 1), (1, 7), (3, 8), (4, 25), (50, 3), (7, 1000), (200, 5)] {
            let cut = TokenStreams::new(&tokens, streams, length).unwrap();
            for shift in [0, 1, 5, 1000] {
                let mut previous: Option<TokenBatch> = None;
                let batches = cut.batches(shift);
                assert!(batches.len() > 0);
                for batch in batches {
                    let [rows, columns] = batch.shape;
                    assert!(rows <= streams && (1..=length).contains(&columns) && batch.inputs.len() == rows * columns);
                    assert!(batch.inputs.iter().zip(&batch.targets).all(|(input, target)| input + 1 == *target));
                    assert_eq!(batch.continues, previous.is_some());
                    if let Some(before) = previous {
                        let ends = before.targets.chunks(before.shape[1]).map(|row| row[row.len() - 1]);
                        assert!(ends.eq(batch.inputs.chunks(columns).map(|row| row[0])));
                    }
                    previous = Some(batch);
                }
            }
        }
    }

    #[test]
    fn short_texts_are_refused() {
        let message = |error: Option<DataError>| error.expect("too short").to_string();
        assert_eq!(
            message(TokenStreams::new(&[1], 2, 3).err()),
            "the text is too short: 1 tokens have no successor to learn"
        );
        assert!(message(TokenStreams::new(&[1, 2], 0, 3).err()).contains("at least one stream"));
        assert_eq!(
            message(split_tokens(&[1, 2, 3, 4], 0.8).err()),
            "the text is too short: of 4 tokens, 1 are left for the training part, which needs at least 2"
        );
        assert!(
            message(split_tokens(&[1, 2, 3], 0.1).err())
                .ends_with("0 are left for the test part, which needs at least 2")
        );
        assert!(
            message(split_tokens(&[1, 2, 3], 1.0).err())
                .ends_with("of 3 tokens, 0 are left for the training part, which needs at least 2")
        );
        assert!(message(split_tokens(&[1, 2, 3], 1.5).err()).contains("between 0 and 1"));
        assert_eq!(split_tokens(&[1, 2, 3, 4], 0.5).unwrap(), (&[1, 2][..], &[3, 4][..]));
    }
}
