//! Group normalization: the channels of each sample fall into groups, and each group is normalized by itself.
//!
//! | | |
//! |---|---|
//! | equation | `y = z w + b`, `z = (x - m) r`, `r = 1 / sqrt(v + eps)`; `m`, `v` mean and variance of each group of each sample |
//! | derivative | `x' = r (g - mean(g) - z mean(g z))` with `g = y' w`; `w' = sum of y' z`, `b' = sum of y'` |
//! | shapes | `x [N, C, ..]`, `w`, `b [C]` -> `y` as `x` |
//! | saved | `x`, `w`, `m` and `r` |
//! | source | Y. Wu, K. He, "Group normalization", arXiv:1803.08494 (2018) |
//!
//! The variance divides by the number of elements. The means in `x'` run over the groups, the sums in `w'` and `b'` over all but
//! the channels; `x'` is derived as in batch normalization. Instance normalization is this with as many groups as channels.

use super::batch_norm::{extent, other_dims, per_channel};
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Buffer, Real, norm};

pub(super) static INFO: OpInfo = OpInfo {
    name: "group_norm",
    equation: "y = (x - mean) / sqrt(var + eps) w + b, by group of channels",
    derivative: "x' = r (g - mean(g) - z mean(g z)) with g = y' w, w' = sum of y' z, b' = sum of y'",
    torch: "torch.nn.functional.group_norm",
};

#[derive(Debug)]
struct GroupNorm<T: Real> {
    x: Tensor<T>,
    weight: Option<Tensor<T>>,
    mean: Tensor<T>,
    inv_std: Tensor<T>,
    groups: usize,
    eps: f64,
}

impl<T: Real> Op<T> for GroupNorm<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let bias_at = 1 + usize::from(self.weight.is_some());
        let has_bias = inputs.len() > bias_at;
        let (x, shape) = (&self.x, self.x.shape());
        if inputs.is_tracked() {
            // Each group as the last dimension.
            let per_group = |t: &Tensor<T>| t.reshape([shape[0], self.groups, group_len(shape, self.groups)]);
            let centered = per_group(x) - per_group(x).mean_dim(-1, true);
            let r = ((&centered * &centered).mean_dim(-1, true) + T::from_f64(self.eps)).powf(-0.5);
            let z = centered * &r;
            if self.weight.is_some() {
                inputs.add(1, || (&grad * z.reshape(shape)).sum_dim(other_dims(shape.rank()), false));
            }
            if has_bias {
                inputs.add(bias_at, || grad.sum_dim(other_dims(shape.rank()), false));
            }
            inputs.add(0, || {
                let weight = self.weight.as_ref().map(|weight| per_channel(weight, shape.rank()));
                let g = per_group(&weight.map_or(grad.clone(), |weight| &grad * weight));
                let projection = (&g * &z).mean_dim(-1, true);
                ((&g - g.mean_dim(-1, true) - &z * projection) * &r).reshape(shape)
            });
            return;
        }
        let (_, c, l) = extent(shape);
        let (mut dw, mut db) = (Buffer::unspecified(c), Buffer::unspecified(c));
        let dx = Tensor::build(shape.clone(), |dx| {
            let weight = self.weight.as_ref().map(Tensor::to_slice);
            let (mean, r) = (self.mean.to_slice(), self.inv_std.to_slice());
            let (x, g) = (x.to_slice(), grad.to_slice());
            norm::group_norm_backward(
                &x, &g, c, l, self.groups, &mean, &r, weight.as_deref(), dx, &mut dw, &mut db,
            );
        });
        inputs.add(0, || dx);
        if self.weight.is_some() {
            inputs.add(1, || Tensor::from_buffer(dw, c.into()));
        }
        if has_bias {
            inputs.add(bias_at, || Tensor::from_buffer(db, c.into()));
        }
    }
}

/// Elements of a group in one sample.
fn group_len(shape: &[usize], groups: usize) -> usize {
    shape[1] / groups * shape[2..].iter().product::<usize>()
}

/// Normalizes groups of channels, as the operation `info`.
#[track_caller]
pub(super) fn normalize<T: Real>(
    info: &'static OpInfo,
    x: &Tensor<T>,
    groups: usize,
    weight: Option<&Tensor<T>>,
    bias: Option<&Tensor<T>>,
    eps: f64,
) -> Tensor<T> {
    let (op, shape) = (info.name, x.shape());
    let fits = |p: Option<&Tensor<T>>| p.is_none_or(|p| p.shape() == &[shape[1]]);
    assert!(
        x.rank() >= 2 && fits(weight) && fits(bias),
        "{op}: input {shape}, weight {:?}, bias {:?}: they must be [N, C, ..], [C] and [C]",
        weight.map(Tensor::shape),
        bias.map(Tensor::shape)
    );
    assert!(
        groups > 0 && shape[1].is_multiple_of(groups),
        "{op}: {groups} groups do not divide the {} channels of input {shape}",
        shape[1]
    );
    let (n, c, l) = extent(shape);
    let rows = n * groups;
    let (mut mean, mut inv_std) = (Buffer::zeroed(rows), Buffer::zeroed(rows));
    let value = Tensor::build(shape.clone(), |y| {
        let (weight, bias) = (weight.map(Tensor::to_slice), bias.map(Tensor::to_slice));
        let x = x.to_slice();
        norm::group_norm(&x, c, l, groups, eps, weight.as_deref(), bias.as_deref(), y, &mut mean, &mut inv_std);
    });
    let inputs: Vec<&Tensor<T>> = [Some(x), weight, bias].into_iter().flatten().collect();
    Tensor::from_op(info, value, &inputs, || GroupNorm {
        x: x.clone(),
        weight: weight.cloned(),
        mean: Tensor::from_buffer(mean, rows.into()),
        inv_std: Tensor::from_buffer(inv_std, rows.into()),
        groups,
        eps,
    })
}

impl<T: Real> Tensor<T> {
    /// Brings each of `groups` groups of channels of each sample of `[N, C, ..]` to mean 0 and variance 1, then scales and
    /// shifts each channel. Without a weight the scale is 1, without a bias the shift is 0.
    ///
    /// # Panics
    /// If there are fewer than two dimensions, the groups do not divide the channels, or `weight` or `bias` is not `[C]`.
    #[track_caller]
    pub fn group_norm(&self, groups: usize, weight: Option<&Self>, bias: Option<&Self>, eps: f64) -> Self {
        normalize(&INFO, self, groups, weight, bias, eps)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        // Two groups of two channels, with means 2 and 10 and deviations 1 and 0.
        let x = Tensor::from([[1.0f64, 3.0, 10.0, 10.0]]);
        let (w, b) = (Tensor::from([1.0, 2.0, 3.0, 4.0]), Tensor::from([0.0, 0.5, 5.0, -5.0]));
        assert_eq!(x.group_norm(2, Some(&w), Some(&b), 1e-20).to_vec(), [-1.0, 2.5, 5.0, -5.0]);
        assert_eq!(x.group_norm(2, None, None, 0.5625).to_vec(), [-0.8, 0.8, 0.0, 0.0]);
    }

    #[test]
    fn gradcheck() {
        let (w, b) = (check::random([4], 0.5, 1.5), check::random([4], -1.0, 1.0));
        for shape in [&[3, 4][..], &[2, 4, 3], &[1, 4, 2, 2], &[0, 4, 2]] {
            let x = check::random(shape, -1.0, 1.0);
            for groups in [1, 2] {
                check::gradients(|x| x[0].group_norm(groups, Some(&x[1]), Some(&x[2]), 1e-3), &[&x, &w, &b]);
                check::gradients(|x| x[0].group_norm(groups, None, None, 1e-3), &[&x]);
            }
        }
        let x = check::random([4, 2, 5], -1.0, 1.0);
        check::gradients(|x| x[0].transpose(0, 1).group_norm(2, None, Some(&x[1]), 1e-3), &[&x, &b]);
        check::gradients(|x| x[0].slice(2, 0, 5, 2).permute([2, 0, 1]).group_norm(2, Some(&x[1]), None, 1e-3), &[&x, &w]);
        let x = check::random([4, 3], -1.0, 1.0);
        check::gradients(|x| x[0].broadcast_to([2, 4, 3]).group_norm(2, None, None, 1e-3), &[&x]);
        check::gradients(|x| x[0].group_norm(1, None, None, 1e-3), &[&check::random([1, 1], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "group_norm: 3 groups do not divide the 4 channels of input [2, 4, 5]")]
    fn groups_must_divide_the_channels() {
        let _ = Tensor::<f32>::zeros([2, 4, 5]).group_norm(3, None, None, 1e-5);
    }
}
