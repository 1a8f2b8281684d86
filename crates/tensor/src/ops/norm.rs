//! `p`-norm over dimensions: the length of vectors.
//!
//! | | |
//! |---|---|
//! | equation | `y[i] = (sum over j of abs(x[i, j])^p)^(1/p)`; the largest or smallest for `p = inf, -inf`; the number of nonzero elements for `p = 0` |
//! | derivative | `x' = y' sign(x) (abs(x) / y)^(p-1)`, 0 where `y` is 0; for infinite `p`, `y' sign(x)` shared by the winners; for `p = 0`, 0 |
//! | shapes | the dimensions disappear, or stay with size 1 (`keepdim`) |
//! | saved | `x` and `y` |
//!
//! The Euclidean norm adds squares in double precision, other powers are taken of `abs(x) / max abs(x)`: neither overflows nor
//! vanishes where the norm itself does not.

use super::elementwise::{map1, map2};
use super::sum::{kept, reduce_dims, without};
use crate::{Dims, Inputs, Op, OpInfo, SavedOutput, Tensor};
use chainrule_kernels::{Real, binary, moments, reduce, unary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "norm",
    equation: "y[i] = (sum over j of |x[i, j]|^p)^(1/p)",
    derivative: "x' = y' sign(x) (|x| / y)^(p-1)",
    torch: "torch.linalg.vector_norm",
};

#[derive(Debug)]
struct Norm<T: Real> {
    x: Tensor<T>,
    y: SavedOutput<T>,
    p: f64,
    dims: Vec<usize>,
}

impl<T: Real> Op<T> for Norm<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let y = self.y.get(inputs);
        let Norm { x, p, dims, .. } = self;
        let (zero, one) = (|| Tensor::scalar(T::ZERO), || Tensor::scalar(T::ONE));
        let shape = kept(x.shape(), dims);
        // The rule is not defined where the norm is 0; there nothing may come of it, in second derivatives either.
        let null = y.eq(zero()).reshape(shape.to_vec());
        let grad = grad.reshape(&shape);
        if *p == 0.0 {
            // Constant almost everywhere.
        } else if *p == 1.0 {
            inputs.add(0, || x.sign() * grad);
        } else if p.is_infinite() {
            inputs.add(0, || {
                let winners = x.abs().eq(y.reshape(&shape)).to_tensor::<T>();
                let each = grad / winners.sum_dim(dims, true);
                x.sign() * (winners * each)
            });
        } else {
            let each = Tensor::where_(&null, zero(), grad);
            let length = Tensor::where_(&null, one(), y.reshape(&shape));
            if *p == 2.0 {
                inputs.add(0, || x * (each / length));
            } else {
                // Below p = 2 the slope of the power is infinite at 0, where the sign is 0.
                let still = x.eq(zero());
                let safe = if *p < 2.0 { Tensor::where_(&still, one(), x) } else { x.clone() };
                inputs.add(0, || {
                    let slope = safe.sign() * (safe.abs() / length).powf(*p - 1.0) * each;
                    if *p < 2.0 { Tensor::where_(&still, zero(), slope) } else { slope }
                });
            }
        }
    }
}

unary!(NotZero(self, x: T) = if x == T::ZERO { T::ZERO } else { T::ONE });
binary!(Power { p: f64 }(self, x: T, scale) = (x.abs() / scale).powf(T::from_f64(self.p)));
binary!(Root { p: f64 }(self, sum: T, scale) = sum.powf(T::from_f64(1.0 / self.p)) * scale);
unary!(Scale(self, m: T) = if m.is_finite() && m > T::ZERO { m } else { T::ONE });

/// The norm, untracked, with the dimensions at size 1.
fn value<T: Real>(x: &Tensor<T>, p: f64, dims: &[usize]) -> Tensor<T> {
    let absolute = || crate::no_grad(|| x.abs());
    if p == 2.0 {
        reduce_dims(x, dims, true, moments::norm)
    } else if p == 1.0 {
        reduce_dims(&absolute(), dims, true, reduce::sum)
    } else if p == 0.0 {
        reduce_dims(&map1(NotZero {}, x), dims, true, reduce::sum)
    } else if p == f64::INFINITY {
        reduce_dims(&absolute(), dims, true, reduce::maximum)
    } else if p == f64::NEG_INFINITY {
        reduce_dims(&absolute(), dims, true, reduce::minimum)
    } else {
        // The element with the largest power, by which the others are measured.
        let extreme = if p > 0.0 { reduce::maximum } else { reduce::minimum };
        let scale = map1(Scale {}, &reduce_dims(&absolute(), dims, true, extreme));
        let sum = reduce_dims(&map2(INFO.name, Power { p }, x, &scale), dims, true, reduce::sum);
        map2(INFO.name, Root { p }, &sum, &scale)
    }
}

impl<T: Real> Tensor<T> {
    /// The `p`-norm of all elements, as a tensor without dimensions: for `p = 2` their Euclidean length.
    ///
    /// # Panics
    /// If there is no element and `p` is infinite.
    #[track_caller]
    pub fn norm(&self, p: f64) -> Self {
        let all: Vec<usize> = (0..self.rank()).collect();
        self.norm_dim(p, all, false)
    }

    /// The `p`-norm over some dimensions, `p` any number or infinite. The dimensions disappear, or stay with size 1 if
    /// `keepdim` is true.
    ///
    /// # Panics
    /// If a dimension does not exist or is named twice, or is empty and `p` is infinite.
    #[track_caller]
    pub fn norm_dim(&self, p: f64, dims: impl Into<Dims>, keepdim: bool) -> Self {
        let dims = dims.into().resolve(INFO.name, self.rank());
        let empty = dims.iter().any(|&d| self.shape()[d] == 0);
        assert!(!empty || p.is_finite(), "norm: with p = {p}, no dimension of shape {} may be empty", self.shape());
        let mut value = value(self, p, &dims);
        if !keepdim {
            value = without(value, &dims);
        }
        let y = SavedOutput::new(&value);
        Self::from_op(&INFO, value, &[self], || Norm { x: self.clone(), y, p, dims: dims.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[3.0f64, -4.0], [0.0, 0.0]]);
        let close = |p: f64, expected: f64| {
            let y = x.norm_dim(p, 1, false).to_vec();
            assert!((y[0] - expected).abs() < 1e-14 && y[1] == 0.0, "p = {p}: {y:?}");
        };
        let inf = f64::INFINITY;
        for (p, expected) in [(2.0, 5.0), (1.0, 7.0), (inf, 4.0), (-inf, 3.0), (0.0, 2.0), (3.0, 91f64.cbrt())] {
            close(p, expected);
        }
        assert_eq!(x.norm(2.0).item(), 5.0);
        assert_eq!(Tensor::from([3e30f32, 4e30]).norm(3.0).item(), 91f32.cbrt() * 1e30);
        assert_eq!(Tensor::from([3e-30f32, 4e-30]).norm(2.0).item(), 5e-30);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 3, 4], -1.0, 1.0);
        for p in [2.0, 1.0, 3.0, 2.5, 1.5, 0.5, 0.0, -1.0, f64::INFINITY, f64::NEG_INFINITY] {
            check::gradients(|x| x[0].norm(p).powf(2.0), &[&x]);
            check::gradients(|x| x[0].norm_dim(p, [0, 2], true).powf(2.0), &[&x]);
            check::gradients(|x| x[0].t().slice(1, 0, 4, 3).norm_dim(p, -2, false).powf(2.0), &[&x]);
        }
        check::gradients(|x| x[0].norm_dim(2.0, 1, false), &[&check::random([0, 3], -1.0, 1.0)]);
        check::gradients(|x| x[0].norm(2.0), &[&check::random([], 0.5, 1.0)]);
    }

    #[test]
    fn no_direction_at_zero() {
        for p in [2.0, 1.5, 3.0, 1.0] {
            let x = Tensor::<f64>::zeros([3]).requires_grad();
            assert_eq!(x.norm(p).backward().get(&x).unwrap().to_vec(), [0.0; 3]);
        }
    }

    #[test]
    #[should_panic(expected = "norm: with p = inf, no dimension of shape [2, 0] may be empty")]
    fn nothing_has_no_largest() {
        let _ = Tensor::<f32>::zeros([2, 0]).norm(f64::INFINITY);
    }
}
