//! Byte-pair encoding: see [`Vocabulary::byte_pairs`](super::Vocabulary::byte_pairs).
//!
//! A joined token is known by its bytes alone: of two neighbors in a word, those are joined first whose union has the smallest
//! number, which is the order in which training found them.

use std::collections::{BTreeMap, HashMap};

type Pair = (usize, usize);

/// The parts within which bytes may be joined: words with the space before them.
fn parts(text: &str) -> impl Iterator<Item = &[u8]> {
    let bytes = text.as_bytes();
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &bytes[start..];
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte >= 128 || byte == b'\'';
        let lead = usize::from(rest.len() > 1 && rest[0] == b' ' && is_word(rest[1]));
        let end = match rest.get(lead) {
            None => return None,
            Some(&byte) if is_word(byte) => {
                rest[lead..].iter().position(|&b| !is_word(b)).map_or(rest.len(), |n| lead + n)
            }
            Some(_) => 1,
        };
        start += end;
        Some(&rest[..end])
    })
}

/// The tokens that training finds: the bytes, then joined pairs.
pub(super) fn train(text: &str, size: usize) -> Vec<Vec<u8>> {
    let mut tokens: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
    let mut distinct = BTreeMap::<&[u8], usize>::new();
    parts(text).for_each(|part| *distinct.entry(part).or_default() += 1);
    let mut words: Vec<(Vec<usize>, usize)> =
        distinct.into_iter().map(|(part, count)| (part.iter().map(|&b| usize::from(b)).collect(), count)).collect();
    // How often each pair comes, and in which words it has been seen.
    let mut counts = HashMap::<Pair, usize>::new();
    let mut places = HashMap::<Pair, Vec<usize>>::new();
    for (at, (word, count)) in words.iter().enumerate() {
        for pair in pairs(word) {
            *counts.entry(pair).or_default() += count;
            places.entry(pair).or_default().push(at);
        }
    }
    while tokens.len() < size {
        // Of equally frequent pairs the smallest: the order of a hash map is no order.
        let Some((&best, &count)) = counts.iter().max_by_key(|&(&pair, &count)| (count, std::cmp::Reverse(pair)))
        else {
            break;
        };
        if count < 2 {
            break;
        }
        let joined = [&tokens[best.0][..], &tokens[best.1]].concat();
        let number = tokens.len();
        let mut seen = places.remove(&best).unwrap_or_default();
        seen.dedup();
        for at in seen {
            let (word, count) = &mut words[at];
            for pair in pairs(word) {
                *counts.entry(pair).or_default() -= *count;
            }
            *word = join(word, best, number);
            for pair in pairs(word) {
                *counts.entry(pair).or_default() += *count;
                if pair.0 == number || pair.1 == number {
                    places.entry(pair).or_default().push(at);
                }
            }
        }
        counts.remove(&best);
        counts.retain(|_, count| *count > 0);
        // No two pairs have the same bytes. What begins and ends with a token always has, as tokens only grow, and pairs are
        // joined from the left: how such bytes are cut into tokens depends on them alone. Wherever they are those of `joined`
        // they are this pair now, and one token from now on.
        debug_assert!(!tokens.contains(&joined), "two pairs with the bytes {joined:?}");
        tokens.push(joined);
    }
    tokens
}

fn pairs(word: &[usize]) -> impl Iterator<Item = Pair> + use<'_> {
    word.windows(2).map(|pair| (pair[0], pair[1]))
}

/// The word with every such pair joined, from the left on.
fn join(word: &[usize], pair: Pair, number: usize) -> Vec<usize> {
    let mut joined = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&first, tail)) = rest.split_first() {
        if first == pair.0 && tail.first() == Some(&pair.1) {
            joined.push(number);
            rest = &tail[1..];
        } else {
            joined.push(first);
            rest = tail;
        }
    }
    joined
}

/// The numbers of a text's tokens.
pub(super) fn encode(text: &str, numbers: &BTreeMap<Vec<u8>, usize>) -> Vec<usize> {
    let mut known = HashMap::<&[u8], Vec<usize>>::new();
    parts(text).flat_map(|part| known.entry(part).or_insert_with(|| encode_part(part, numbers)).clone()).collect()
}

fn encode_part(part: &[u8], numbers: &BTreeMap<Vec<u8>, usize>) -> Vec<usize> {
    // Where each token ends.
    let mut ends: Vec<usize> = (1..=part.len()).collect();
    let token = |ends: &[usize], from: usize, to: usize| {
        let start = if from == 0 { 0 } else { ends[from - 1] };
        numbers.get(&part[start..ends[to]]).copied()
    };
    loop {
        let unions = (1..ends.len()).filter_map(|i| Some((token(&ends, i - 1, i)?, i)));
        let Some((_, right)) = unions.min() else { break };
        ends.remove(right - 1);
    }
    (0..ends.len()).map(|i| token(&ends, i, i).expect("every byte is a token")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule_tensor::Rng;
    use std::collections::BTreeSet;

    #[test]
    fn worked_example() {
        // The example of Sennrich et al.: low x5, lower x2, newest x6, widest x3; the first unions are es, est, lo, low.
        let text = [("low", 5), ("lower", 2), ("newest", 6), ("widest", 3)]
            .map(|(word, count)| format!("{word}\n").repeat(count))
            .concat();
        let tokens = train(&text, 260);
        assert_eq!(tokens[256..], [&b"es"[..], b"est", b"lo", b"low"]);
        let numbers = tokens.into_iter().zip(0..).collect();
        assert_eq!(encode("lowest", &numbers), [259, 257]);
    }

    #[test]
    fn spaces_go_with_the_word_that_follows() {
        let cut: Vec<&[u8]> = parts("to be,  it's\n").collect();
        assert_eq!(cut, [&b"to"[..], b" be", b",", b" ", b" it's", b"\n"]);
    }

    #[test]
    fn no_two_pairs_have_the_same_bytes() {
        // Few letters: pairs overlap themselves and each other, and the same bytes have many neighbors.
        let mut rng = Rng::seed_from_u64(1);
        for letters in ["a", "aaaa ", "ab", "aab ", "abc "] {
            for length in [20, 100, 500] {
                let letters = letters.as_bytes();
                let text = (0..length).map(|_| char::from(letters[rng.below(letters.len())])).collect::<String>();
                let tokens = train(&text, 1000);
                let distinct: BTreeSet<_> = tokens.iter().collect();
                assert!(tokens.len() > 256 && distinct.len() == tokens.len(), "{text}");
            }
        }
    }

    #[test]
    fn no_pair_is_joined_that_comes_once() {
        assert_eq!(train("abc", 1000).len(), 256);
        assert_eq!(train("aaaa aaaa", 1000)[256..], [&b"aa"[..], b"aaaa"]);
    }
}
