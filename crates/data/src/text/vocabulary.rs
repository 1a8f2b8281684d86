//! [`Vocabulary`]: the tokens of a language model, and their numbers.

use super::byte_pairs;
use crate::DataError;
use std::collections::{BTreeMap, BTreeSet};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokenization {
    /// A character.
    Characters,
    /// A word, a number, a run of white space, or a single other character.
    Words,
    /// A part of a word, found by joining frequent pairs of bytes.
    BytePairs,
}

/// A set of tokens with their numbers, from 0 on.
///
/// ```
/// use chainrule_data::Vocabulary;
///
/// let vocabulary = Vocabulary::characters("hello")?;
/// assert_eq!(vocabulary.len(), 4); // e h l o
/// let tokens = vocabulary.encode("hole")?;
/// assert_eq!((&tokens[..], vocabulary.decode(&tokens)), (&[1, 3, 2, 0][..], "hole".to_string()));
/// # Ok::<(), chainrule_data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    kind: Tokenization,
    /// The bytes of each token. Those of characters and words are text; the first word stands for all unknown ones.
    tokens: Vec<Vec<u8>>,
    numbers: BTreeMap<Vec<u8>, usize>,
}

/// What stands for a word that is not in the vocabulary.
const UNKNOWN: &str = "<unk>";

impl Vocabulary {
    /// Every character of the text, in the order of their code points.
    ///
    /// # Errors
    /// If the text is empty.
    pub fn characters(text: &str) -> Result<Self, DataError> {
        let characters: BTreeSet<char> = text.chars().collect();
        Self::new(Tokenization::Characters, characters.into_iter().map(|c| c.to_string().into_bytes()).collect())
    }

    /// The `size - 1` most frequent words of the text (of equally frequent ones, the first in the order of their letters)
    /// after a token for all others. White space and punctuation are words too, so that decoding gives the text back.
    ///
    /// # Errors
    /// If the text is empty or `size` is below 2.
    pub fn words(text: &str, size: usize) -> Result<Self, DataError> {
        if size < 2 {
            return Err(DataError::Text {
                problem: format!("a vocabulary of words needs a size of at least 2, got {size}"),
            });
        }
        let mut counts = BTreeMap::<&str, usize>::new();
        words(text).for_each(|word| *counts.entry(word).or_default() += 1);
        if counts.is_empty() {
            return Err(empty());
        }
        let mut ranked: Vec<_> = counts.into_iter().filter(|(word, _)| *word != UNKNOWN).collect();
        // The sort is stable.
        ranked.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let known = ranked.into_iter().take(size - 1).map(|(word, _)| word);
        Self::new(Tokenization::Words, std::iter::once(UNKNOWN).chain(known).map(|word| word.into()).collect())
    }

    /// The 256 bytes, then joined pairs of tokens, the most frequent pair of the text first, until there are `size` tokens or no
    /// pair comes twice. Words are joined with the space before them, never with each other. Any text can be encoded.
    ///
    /// Source: R. Sennrich, B. Haddow, A. Birch, "Neural machine translation of rare words with subword units", ACL (2016); on
    /// bytes as in A. Radford et al., "Language models are unsupervised multitask learners" (2019).
    ///
    /// # Errors
    /// If the text is empty or `size` is below 256.
    pub fn byte_pairs(text: &str, size: usize) -> Result<Self, DataError> {
        if size < 256 {
            return Err(DataError::Text {
                problem: format!("a vocabulary of byte pairs has at least the 256 bytes, got {size}"),
            });
        }
        if text.is_empty() {
            return Err(empty());
        }
        Self::new(Tokenization::BytePairs, byte_pairs::train(text, size))
    }

    /// The vocabulary with these tokens, as [`tokens`](Self::tokens) gave them.
    ///
    /// # Errors
    /// If there is no token, an empty one, one twice, or one that does not fit the kind.
    pub fn from_tokens(kind: Tokenization, tokens: Vec<Vec<u8>>) -> Result<Self, DataError> {
        let fail = |problem: &str| Err(DataError::Text { problem: format!("damaged vocabulary: {problem}") });
        if tokens.iter().any(Vec::is_empty) {
            return fail("an empty token");
        }
        let text = |token: &Vec<u8>| String::from_utf8(token.clone());
        let sound = match kind {
            Tokenization::Characters => tokens.iter().all(|t| text(t).is_ok_and(|t| t.chars().count() == 1)),
            Tokenization::Words => {
                tokens.first().is_some_and(|t| t == UNKNOWN.as_bytes()) && tokens.iter().all(|t| text(t).is_ok())
            }
            Tokenization::BytePairs => tokens.len() >= 256 && (0..256).all(|byte| tokens[byte] == [byte as u8]),
        };
        if !sound {
            return fail("the tokens are not of its kind");
        }
        let vocabulary = Self::new(kind, tokens)?;
        if vocabulary.numbers.len() != vocabulary.tokens.len() { fail("a token comes twice") } else { Ok(vocabulary) }
    }

    fn new(kind: Tokenization, tokens: Vec<Vec<u8>>) -> Result<Self, DataError> {
        if tokens.is_empty() {
            return Err(empty());
        }
        let numbers = tokens.iter().cloned().zip(0..).collect();
        Ok(Vocabulary { kind, tokens, numbers })
    }

    /// What a token is.
    pub fn kind(&self) -> Tokenization {
        self.kind
    }

    /// The number of tokens, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a vocabulary is never empty")]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The bytes of each token.
    pub fn tokens(&self) -> &[Vec<u8>] {
        &self.tokens
    }

    /// The numbers of the text's tokens.
    ///
    /// # Errors
    /// If a character is not in a vocabulary of characters; the message names it.
    pub fn encode(&self, text: &str) -> Result<Vec<usize>, DataError> {
        let number = |token: &str| self.numbers.get(token.as_bytes()).copied();
        match self.kind {
            Tokenization::Characters => {
                let mut buffer = [0; 4];
                let characters = text.chars().map(|c| {
                    let unknown =
                        || DataError::Text { problem: format!("the character {c:?} is not in the vocabulary") };
                    number(c.encode_utf8(&mut buffer)).ok_or_else(unknown)
                });
                characters.collect()
            }
            Tokenization::Words => Ok(words(text).map(|word| number(word).unwrap_or(0)).collect()),
            Tokenization::BytePairs => Ok(byte_pairs::encode(text, &self.numbers)),
        }
    }

    /// The text of these tokens. Bytes that do not make characters become U+FFFD.
    ///
    /// # Panics
    /// If a number is not one of a token.
    pub fn decode(&self, tokens: &[usize]) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|&token| &self.tokens[token]).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn empty() -> DataError {
    DataError::Text { problem: "the text is empty".into() }
}

/// Runs of letters and digits, runs of white space, and single other characters. Together they are the text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    /// Characters of a class stay together, but those of the class 0.
    fn class(c: char) -> u8 {
        if c.is_alphanumeric() || c == '\'' {
            1
        } else if c.is_whitespace() {
            2
        } else {
            0
        }
    }
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = class(rest.chars().next()?);
        let same = rest.char_indices().take_while(|&(at, c)| at == 0 || (first > 0 && class(c) == first));
        let end = same.last().map_or(0, |(at, c)| at + c.len_utf8());
        let (word, tail) = rest.split_at(end);
        rest = tail;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "To be, or not to be:  that's\nthe \u{e9}t\u{e9} question.";

    #[test]
    fn texts_come_back() {
        for vocabulary in [
            Vocabulary::characters(TEXT).unwrap(),
            Vocabulary::words(TEXT, 100).unwrap(),
            Vocabulary::byte_pairs(TEXT, 270).unwrap(),
        ] {
            let tokens = vocabulary.encode(TEXT).unwrap();
            assert_eq!(vocabulary.decode(&tokens), TEXT, "{:?}", vocabulary.kind());
            let copy = Vocabulary::from_tokens(vocabulary.kind(), vocabulary.tokens().to_vec()).unwrap();
            assert_eq!(copy, vocabulary);
        }
    }

    #[test]
    fn words_are_cut_at_spaces_and_signs() {
        let cut: Vec<&str> = words("to be, or..  that's\n").collect();
        assert_eq!(cut, ["to", " ", "be", ",", " ", "or", ".", ".", "  ", "that's", "\n"]);
        assert_eq!(words("").count(), 0);
    }

    #[test]
    fn rare_words_are_unknown() {
        let vocabulary = Vocabulary::words("a b a c a b", 4).unwrap();
        assert_eq!(vocabulary.tokens(), ["<unk>", " ", "a", "b"].map(|t| t.as_bytes().to_vec()));
        assert_eq!(vocabulary.decode(&vocabulary.encode("a c").unwrap()), "a <unk>");
        assert_eq!(
            Vocabulary::words("a", 1).unwrap_err().to_string(),
            "a vocabulary of words needs a size of at least 2, got 1"
        );
    }

    #[test]
    fn unknown_characters_are_named() {
        let vocabulary = Vocabulary::characters("ab").unwrap();
        assert_eq!(vocabulary.encode("abc\n").unwrap_err().to_string(), "the character 'c' is not in the vocabulary");
        assert_eq!(Vocabulary::characters("").unwrap_err().to_string(), "the text is empty");
    }

    #[test]
    fn damaged_vocabularies_are_refused() {
        let refuse = |kind, tokens: &[&str]| {
            let tokens = tokens.iter().map(|t| t.as_bytes().to_vec()).collect();
            Vocabulary::from_tokens(kind, tokens).unwrap_err().to_string()
        };
        assert_eq!(refuse(Tokenization::Characters, &["a", "a"]), "damaged vocabulary: a token comes twice");
        assert_eq!(refuse(Tokenization::Characters, &["a", ""]), "damaged vocabulary: an empty token");
        assert!(refuse(Tokenization::Characters, &["ab"]).ends_with("not of its kind"));
        assert!(refuse(Tokenization::Words, &["a"]).ends_with("not of its kind"));
        assert!(refuse(Tokenization::BytePairs, &["a"]).ends_with("not of its kind"));
        assert_eq!(refuse(Tokenization::Characters, &[]), "the text is empty");
    }
}
