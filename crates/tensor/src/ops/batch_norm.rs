//! Batch normalization with the statistics of the batch.
//!
//! | | |
//! |---|---|
//! | equation | `y = z w + b`, `z = (x - m) r`, `r = 1 / sqrt(v + eps)`; `m`, `v` mean and variance of each channel over all else |
//! | derivative | `x' = w r (y' - mean(y') - z mean(y' z))`, `w' = sum of y' z`, `b' = sum of y'` |
//! | shapes | `x [N, C, ..]`, `w`, `b [C]` -> `y` as `x` |
//! | saved | `x`, `w`, `m` and `r` |
//! | source | S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015 |
//!
//! The variance divides by the number of elements `k`. Derivation of `x'`: with `z' = y' w`, `x` reaches the loss through
//! `z` directly (`r z'`), through `m` (`-r sum z' / k`) and through `v` (`-r z sum z' z / k`).

use crate::{Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::{Buffer, Real, norm};

pub(super) static INFO: OpInfo = OpInfo {
    name: "batch_norm",
    equation: "y = (x - mean) / sqrt(var + eps) w + b",
    derivative: "x' = w r (y' - mean(y') - z mean(y' z)), w' = sum of y' z, b' = sum of y'",
    torch: "torch.nn.functional.batch_norm",
};

#[derive(Debug)]
struct BatchNorm<T: Real> {
    x: Tensor<T>,
    weight: Option<Tensor<T>>,
    mean: Tensor<T>,
    inv_std: Tensor<T>,
    eps: f64,
}

/// Which input is which: `x`, then the weight and the bias where there are.
fn positions(has_weight: bool) -> (usize, usize) {
    (1, 1 + usize::from(has_weight))
}

impl<T: Real> Op<T> for BatchNorm<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let (weight_at, bias_at) = positions(self.weight.is_some());
        let has_bias = inputs.len() > bias_at;
        if self.x.numel() == 0 {
            // What has no mean has no gradient either, rather than one that is not a number.
            let channels = || Tensor::zeros(self.x.shape()[1]);
            inputs.add(0, || grad);
            (1..inputs.len()).for_each(|i| inputs.add(i, channels));
            return;
        }
        if inputs.is_tracked() {
            let others = other_dims(self.x.rank());
            let z = self.normalized();
            if self.weight.is_some() {
                inputs.add(weight_at, || (&grad * &z).sum_dim(others.clone(), false));
            }
            if has_bias {
                inputs.add(bias_at, || grad.sum_dim(others.clone(), false));
            }
            inputs.add(0, || {
                let scale = match &self.weight {
                    Some(weight) => self.inv_std() * per_channel(weight, self.x.rank()),
                    None => self.inv_std(),
                };
                let mean = grad.mean_dim(others.clone(), true);
                let projection = (&grad * &z).mean_dim(others.clone(), true);
                (&grad - mean - z * projection) * scale
            });
            return;
        }
        let (n, c, l) = extent(self.x.shape());
        let (mut dw, mut db) = (Buffer::unspecified(c), Buffer::unspecified(c));
        let dx = Tensor::build(self.x.shape().clone(), |dx| {
            let weight = self.weight.as_ref().map(Tensor::to_slice);
            let (mean, inv_std) = (self.mean.to_slice(), self.inv_std.to_slice());
            let (x, g) = (self.x.to_slice(), grad.to_slice());
            norm::batch_norm_backward(&x, &g, n, c, l, &mean, &inv_std, weight.as_deref(), dx, &mut dw, &mut db);
        });
        inputs.add(0, || dx);
        if self.weight.is_some() {
            inputs.add(weight_at, || Tensor::from_buffer(dw, c.into()));
        }
        if has_bias {
            inputs.add(bias_at, || Tensor::from_buffer(db, c.into()));
        }
    }
}

impl<T: Real> BatchNorm<T> {
    /// `r` as a function of `x`, broadcast over all but the channels.
    fn inv_std(&self) -> Tensor<T> {
        let others = other_dims(self.x.rank());
        let centered = &self.x - self.x.mean_dim(others.clone(), true);
        ((&centered * &centered).mean_dim(others, true) + T::from_f64(self.eps)).powf(-0.5)
    }

    /// `z` as a function of `x`.
    fn normalized(&self) -> Tensor<T> {
        (&self.x - self.x.mean_dim(other_dims(self.x.rank()), true)) * self.inv_std()
    }
}

/// All dimensions but the channels'.
pub(super) fn other_dims(rank: usize) -> Vec<usize> {
    (0..rank).filter(|&d| d != 1).collect()
}

/// A number for each channel, shaped to broadcast over the others.
pub(super) fn per_channel<T: Real>(x: &Tensor<T>, rank: usize) -> Tensor<T> {
    let shape: Vec<usize> = (0..rank).map(|d| if d == 1 { x.numel() } else { 1 }).collect();
    x.reshape(shape)
}

/// Samples, channels, and elements of a channel in one sample.
pub(super) fn extent(shape: &Shape) -> (usize, usize, usize) {
    (shape[0], shape[1], shape[2..].iter().product())
}

impl<T: Real> Tensor<T> {
    /// Normalizes each channel of `[N, C, ..]` over the batch to mean 0 and variance 1, then scales and shifts it.
    ///
    /// Returns the result, and the batch's mean and (biased) variance of each channel, untracked, for running estimates; both are
    /// NaN for an empty batch.
    ///
    /// # Panics
    /// If there are fewer than two dimensions, or `weight` or `bias` is not `[C]`.
    #[track_caller]
    pub fn batch_norm(&self, weight: Option<&Self>, bias: Option<&Self>, eps: f64) -> (Self, Self, Self) {
        let fits = |p: Option<&Self>| p.is_none_or(|p| p.shape() == &[self.shape()[1]]);
        assert!(
            self.rank() >= 2 && fits(weight) && fits(bias),
            "batch_norm: input {}, weight {:?}, bias {:?}: they must be [N, C, ..], [C] and [C]",
            self.shape(),
            weight.map(Tensor::shape),
            bias.map(Tensor::shape)
        );
        let (n, c, l) = extent(self.shape());
        let x = self.to_slice();
        let mut var = Buffer::unspecified(c);
        let mean = Self::build(c.into(), |mean| norm::batch_stats(&x, n, c, l, mean, &mut var));
        let var = Self::from_buffer(var, c.into());
        let inv_std = crate::no_grad(|| (&var + T::from_f64(eps)).powf(-0.5));
        let value = Self::build(self.shape().clone(), |y| {
            let (weight, bias) = (weight.map(Tensor::to_slice), bias.map(Tensor::to_slice));
            let (mean, inv_std) = (mean.to_slice(), inv_std.to_slice());
            norm::batch_norm(&x, n, c, l, &mean, &inv_std, weight.as_deref(), bias.as_deref(), y);
        });
        let inputs: Vec<&Self> = [Some(self), weight, bias].into_iter().flatten().collect();
        let saved = || BatchNorm { x: self.clone(), weight: weight.cloned(), mean: mean.clone(), inv_std, eps };
        (Self::from_op(&INFO, value, &inputs, saved), mean.clone(), var)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[1.0f64, 10.0], [3.0, 10.0]]);
        let (y, mean, var) = x.batch_norm(Some(&Tensor::from([2.0, 1.0])), Some(&Tensor::from([0.0, 5.0])), 0.0);
        assert_eq!((mean.to_vec(), var.to_vec()), (vec![2.0, 10.0], vec![1.0, 0.0]));
        assert_eq!(y.select(1, 0).to_vec(), [-2.0, 2.0]);
    }

    #[test]
    fn gradcheck() {
        let (w, b) = (check::random([2], 0.5, 1.5), check::random([2], -1.0, 1.0));
        for shape in [&[4, 2][..], &[3, 2, 3], &[2, 2, 2, 2], &[0, 2], &[2, 2, 0]] {
            let x = check::random(shape, -1.0, 1.0);
            check::gradients(|x| x[0].batch_norm(Some(&x[1]), Some(&x[2]), 1e-3).0, &[&x, &w, &b]);
            check::gradients(|x| x[0].batch_norm(None, None, 1e-3).0, &[&x]);
        }
        let x = check::random([2, 4, 3], -1.0, 1.0);
        check::gradients(|x| x[0].transpose(0, 1).batch_norm(None, Some(&x[1]), 1e-3).0, &[&x, &b]);
    }

    #[test]
    #[should_panic(expected = "batch_norm: input [4, 3], weight Some([2]), bias None")]
    fn sizes_must_match() {
        let _ = Tensor::<f32>::zeros([4, 3]).batch_norm(Some(&Tensor::ones([2])), None, 1e-5);
    }
}
