//! [`Pair`]: a size along the height and the width of an image.

use std::fmt;

/// A height and a width. One number stands for both: `3` is `[3, 3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair(
    /// Height, width.
    pub [usize; 2],
);

impl From<usize> for Pair {
    fn from(n: usize) -> Self {
        Pair([n, n])
    }
}

impl From<[usize; 2]> for Pair {
    fn from(pair: [usize; 2]) -> Self {
        Pair(pair)
    }
}

/// One number where both are equal, `(height, width)` where not.
impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [height, width] if height == width => height.fmt(f),
            [height, width] => write!(f, "({height}, {width})"),
        }
    }
}

/// Appends `, name=value` to a description for a setting that is not at its default.
pub(crate) fn describe_unless(line: &mut String, name: &str, value: [usize; 2], default: [usize; 2]) {
    if value != default {
        line.push_str(&format!(", {name}={}", Pair(value)));
    }
}
