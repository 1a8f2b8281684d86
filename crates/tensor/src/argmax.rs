//! Where the largest or the smallest element stands. An index has no derivative, so this is no operation of the graph.

use crate::{Dims, Tensor};
use chainrule_kernels::Real;

impl<T: Real> Tensor<T> {
    /// The index of the largest element of each line along one dimension, lines in row-major order of the other
    /// dimensions. The first of equals wins, and NaN over all, as in PyTorch.
    ///
    /// # Panics
    /// If there is no such dimension, or it is empty while there are lines.
    #[track_caller]
    pub fn argmax(&self, dim: impl Into<Dims>) -> Vec<usize> {
        self.positions("argmax", dim.into(), |x, best| x > best)
    }

    /// The index of the smallest element of each line along one dimension, lines in row-major order of the other
    /// dimensions. The first of equals wins, and NaN over all, as in PyTorch.
    ///
    /// # Panics
    /// If there is no such dimension, or it is empty while there are lines.
    #[track_caller]
    pub fn argmin(&self, dim: impl Into<Dims>) -> Vec<usize> {
        self.positions("argmin", dim.into(), |x, best| x < best)
    }

    #[track_caller]
    fn positions(&self, op: &str, dim: Dims, beats: impl Fn(T, T) -> bool) -> Vec<usize> {
        let dim = dim.resolve_one(op, self.rank().max(1));
        if self.rank() == 0 {
            return vec![0];
        }
        let length = self.shape()[dim];
        if self.numel() == 0 {
            let lines: usize = self.shape().iter().enumerate().filter(|(d, _)| *d != dim).map(|(_, n)| n).product();
            assert!(lines == 0, "{op}: dimension {dim} of shape {} is empty", self.shape());
            return Vec::new();
        }
        let mut order: Vec<usize> = (0..self.rank()).filter(|&d| d != dim).collect();
        order.push(dim);
        let lines = crate::no_grad(|| self.permute(order));
        lines.to_slice().chunks(length).map(|line| position(line, &beats)).collect()
    }
}

fn position<T: Real>(line: &[T], beats: impl Fn(T, T) -> bool) -> usize {
    let mut best = 0;
    for (i, &x) in line.iter().enumerate() {
        if line[best].is_nan() {
            break;
        }
        if beats(x, line[best]) || x.is_nan() {
            best = i;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use crate::Tensor;

    #[test]
    fn first_largest_and_nan() {
        let x = Tensor::from([[1.0f32, 5.0, 5.0], [f32::NAN, 9.0, f32::NAN], [-1.0, f32::NAN, 3.0]]);
        assert_eq!(x.argmax(1), [1, 0, 1]);
        assert_eq!(x.argmax(0), [1, 2, 1]);
        assert_eq!(Tensor::<f32>::zeros([0, 3]).argmax(1), Vec::<usize>::new());
    }

    #[test]
    fn first_smallest_and_nan() {
        let x = Tensor::from([[5.0f32, 1.0, 1.0], [f32::NAN, -9.0, f32::NAN], [-1.0, f32::NAN, 3.0]]);
        assert_eq!(x.argmin(1), [1, 0, 1]);
        assert_eq!(x.argmin(0), [1, 2, 1]);
    }

    #[test]
    #[should_panic(expected = "argmax: dimension 1 of shape [2, 0] is empty")]
    fn nothing_has_no_largest() {
        let _ = Tensor::<f32>::zeros([2, 0]).argmax(1);
    }
}
