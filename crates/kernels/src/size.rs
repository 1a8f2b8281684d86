//! Counts and ends of arrays whose sizes and strides a caller gives. `unsafe` code relies on them, so none may wrap around: what does
//! not fit into `usize` is `usize::MAX`, which no slice is long.

/// The largest size of a window's geometry: no sum of two products of such sizes wraps around.
pub(crate) const LARGEST: usize = 1 << (usize::BITS / 2 - 1);

/// The product of some sizes.
#[inline]
pub(crate) fn count(sizes: &[usize]) -> usize {
    sizes.iter().fold(1, |count, &size| count.saturating_mul(size))
}

/// The end of the memory that dimensions of `(size, stride)` around something with the end `first` reach; 0 if there is nothing.
#[inline]
pub(crate) fn end(first: usize, dims: impl Iterator<Item = (usize, usize)> + Clone) -> usize {
    if first == 0 || dims.clone().any(|(size, _)| size == 0) {
        return 0;
    }
    dims.fold(first, |end, (size, stride)| end.saturating_add((size - 1).saturating_mul(stride)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_do_not_wrap() {
        assert_eq!((count(&[2, 3, 4]), count(&[])), (24, 1));
        assert_eq!((count(&[usize::MAX, 2, 0]), count(&[0, usize::MAX, 2])), (0, 0));
        // The product is 2^64 + 1.
        assert_eq!(count(&[274_177, 67_280_421_310_721]), usize::MAX);
    }

    #[test]
    fn ends_do_not_wrap() {
        let end = |dims: &[(usize, usize)]| end(1, dims.iter().copied());
        assert_eq!((end(&[(2, 10), (3, 1)]), end(&[]), end(&[(9, usize::MAX), (0, 1)])), (13, 1, 0));
        assert_eq!((end(&[(2, usize::MAX)]), end(&[((1 << 32) + 1, 1 << 32)])), (usize::MAX, usize::MAX));
    }
}
