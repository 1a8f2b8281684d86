//! The running product along a dimension.
//!
//! | | |
//! |---|---|
//! | equation | `y_t = x_0 x_1 .. x_t` |
//! | derivative | as the recurrence `h_t = a_t h_(t-1) + b_t` with `a = x`, `b = x_0, 0, 0, ..`: `b'_t = g_t`, `a'_t = g_t h_(t-1)`, where `g_t = h'_t + a_(t+1) g_(t+1)` |
//! | shapes | any |
//! | saved | `a` and `h` |
//!
//! The usual formula divides by `x` and fails at zeros. The recurrence does not, and its derivative is the same recurrence
//! from the end to the start, so that it closes over itself.

use super::cumsum::lines;
use crate::{Dims, Inputs, Op, OpInfo, SavedOutput, Tensor};
use chainrule_kernels::{Real, scan};

pub(super) static INFO: OpInfo = OpInfo {
    name: "cumprod",
    equation: "y_t = x_0 x_1 .. x_t",
    derivative: "x'_t = g_t y_(t-1), g_t = y'_t + x_(t+1) g_(t+1)",
    torch: "torch.cumprod",
};

static RECURRENCE: OpInfo = OpInfo {
    name: "recurrence",
    equation: "h_t = a_t h_(t-1) + b_t",
    derivative: "b'_t = g_t, a'_t = g_t h_(t-1), g_t = h'_t + a_(t+1) g_(t+1)",
    torch: "torch.cumprod",
};

#[derive(Debug)]
struct Recurrence<T: Real> {
    a: Tensor<T>,
    h: SavedOutput<T>,
    dim: usize,
    reverse: bool,
}

impl<T: Real> Op<T> for Recurrence<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        // The factor behind each element. The last has none: the recurrence does not read what the roll puts there.
        let behind = self.a.roll([if self.reverse { 1 } else { -1 }], self.dim);
        let g = recurrence(&behind, &grad, self.dim, !self.reverse);
        let h = self.h.get(inputs);
        inputs.add(0, || {
            // Each element's times the state before it; there is none before the first, also where `g` is infinite.
            let (n, mut pads) = (h.shape()[self.dim], vec![0; 2 * (h.rank() - self.dim)]);
            let last = pads.len() - 2;
            pads[if self.reverse { last + 1 } else { last }] = 1;
            let (start, before) = if self.reverse { (0, 1) } else { (1, 0) };
            let product = g.narrow(self.dim, start, n - 1) * h.narrow(self.dim, before, n - 1);
            product.pad(pads, super::PadMode::Constant(0.0))
        });
        inputs.add(1, || g);
    }
}

/// `h_t = a_t h_(t-1) + b_t` along a dimension, or from its end.
#[track_caller]
fn recurrence<T: Real>(a: &Tensor<T>, b: &Tensor<T>, dim: usize, reverse: bool) -> Tensor<T> {
    let (n, inner) = lines(a, dim);
    let value = Tensor::build(a.shape().clone(), |out| {
        scan::linear(&a.to_slice(), &b.to_slice(), n, inner, reverse, out);
    });
    let h = SavedOutput::new(&value);
    Tensor::from_op(&RECURRENCE, value, &[a, b], || Recurrence { a: a.clone(), h, dim, reverse })
}

impl<T: Real> Tensor<T> {
    /// The running product along one dimension. A tensor without dimensions counts as one of one element.
    ///
    /// # Panics
    /// If there is no such dimension.
    #[track_caller]
    pub fn cumprod(&self, dim: impl Into<Dims>) -> Self {
        let dim = dim.into().resolve_one(INFO.name, self.rank().max(1));
        if self.numel() == 0 || self.rank() == 0 {
            return self.clone();
        }
        let mut pads = vec![0; 2 * (self.rank() - dim)];
        pads[2 * (self.rank() - dim) - 1] = self.shape()[dim] as isize - 1;
        let first = self.narrow(dim, 0, 1).pad(pads, super::PadMode::Constant(0.0));
        recurrence(self, &first, dim, false)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[1.0f32, 2.0, 3.0], [4.0, 0.0, 6.0]]);
        assert_eq!(x.cumprod(1).to_vec(), [1., 2., 6., 4., 0., 0.]);
        assert_eq!(x.cumprod(-2).to_vec(), [1., 2., 3., 4., 0., 18.]);
        assert_eq!(Tensor::from([f32::INFINITY, 2.0]).cumprod(0).to_vec(), [f32::INFINITY; 2]);
    }

    #[test]
    fn an_infinite_slope_stays_one() {
        // 1 + inf by the first element, 1 by the second, as in PyTorch.
        let x = Tensor::from([1.0f32, f32::INFINITY]).requires_grad();
        assert_eq!(x.cumprod(0).sum().backward().get(&x).unwrap().to_vec(), [f32::INFINITY, 1.0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.cumprod(-1), -1.0, 1.0);
        let x = check::random([2, 4, 2], -1.0, 1.0);
        check::gradients(|x| x[0].cumprod(1).powf(2.0), &[&x]);
        // Zeros, alone and in pairs.
        check::gradients(|x| x[0].cumprod(1), &[&Tensor::from([[1.5, 0.0, 2.0, -1.0], [0.0, 2.0, 0.0, 3.0]])]);
    }

    #[test]
    #[should_panic(expected = "cumprod: dimension 2 is out of range for 2 dimensions")]
    fn dimensions_must_exist() {
        let _ = Tensor::<f32>::zeros([2, 3]).cumprod(2);
    }
}
