//! [`Extent`]: a size along each dimension of a sequence or an image.

use std::fmt;

/// A size along each of `D` dimensions. One number stands for all: `3` is `[3, 3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent<const D: usize>(
    /// Length; or height, width.
    pub [usize; D],
);

/// A height and a width.
pub type Pair = Extent<2>;

impl<const D: usize> From<usize> for Extent<D> {
    fn from(n: usize) -> Self {
        Extent([n; D])
    }
}

impl<const D: usize> From<[usize; D]> for Extent<D> {
    fn from(sizes: [usize; D]) -> Self {
        Extent(sizes)
    }
}

/// One number where all are equal, `(height, width)` where not.
impl<const D: usize> fmt::Display for Extent<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [first, rest @ ..] if rest.iter().all(|n| n == first) => first.fmt(f),
            sizes => write!(f, "({})", sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Appends `, name=value` to a description for a setting that is not at its default.
pub(crate) fn describe_unless<const D: usize>(line: &mut String, name: &str, value: [usize; D], default: [usize; D]) {
    if value != default {
        line.push_str(&format!(", {name}={}", Extent(value)));
    }
}
