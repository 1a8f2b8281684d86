//! Negative log-likelihood of classes, given the logarithms of their probabilities.
//!
//! | | |
//! |---|---|
//! | equation | `y = -sum over samples i of w[t_i] x_i[t_i] / sum of w[t_i]`; or without the division, or each |
//! | derivative | `x_i' = -y' w[t_i] / sum of w[t_i]` at `t_i`, 0 elsewhere: composed of [`gather`](Tensor::gather), `mul` and `sum` |
//! | shapes | `x [n, classes, ..]` or `[classes]`; a label for each sample `[n, ..]`, row-major. `y` has no dimension, or the samples' if not reduced |
//!
//! [`cross_entropy`](Tensor::cross_entropy) does the same from logits, and is more accurate and faster.

use super::labels::{LabelOptions, class_dim, samples};
use super::reduction::Reduction;
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "nll_loss",
    equation: "y = -mean of x[label]",
    derivative: "x' = -y' / n at the label, else 0",
    torch: "torch.nn.functional.nll_loss",
};

/// The negative log-likelihood of classes, with options.
#[derive(Clone, Debug, Default)]
pub struct NllLoss<T: Real = f32> {
    /// A factor for each class.
    pub weight: Option<Tensor<T>>,
    /// A label whose samples do not count.
    pub ignore_index: Option<usize>,
    /// Mean (weighted), sum or each.
    pub reduction: Reduction,
}

impl<T: Real> NllLoss<T> {
    /// The negative log-likelihood of `labels` under the logarithms of probabilities `input`.
    ///
    /// # Panics
    /// If the number of labels is not that of samples, a label is not below the number of classes, or the weights are not one
    /// for each class.
    #[track_caller]
    pub fn forward(&self, input: &Tensor<T>, labels: &[usize]) -> Tensor<T> {
        let NllLoss { weight, ignore_index, reduction } = self;
        let options =
            LabelOptions { op: INFO.name, weight: weight.as_ref(), ignore_index: *ignore_index, reduction: *reduction };
        let labels = options.check(input.shape(), labels);
        let dim = class_dim(INFO.name, input.shape());
        let each = -input.gather(dim, labels.places(input.shape(), dim)).reshape([labels.index.len()]);
        let loss = labels.reduce(each, *reduction);
        if *reduction == Reduction::None { loss.reshape(samples(input.shape())) } else { loss }
    }
}

impl<T: Real> Tensor<T> {
    /// The mean negative log-likelihood of the labels under these logarithms of probabilities. [`NllLoss`] has the options.
    ///
    /// # Panics
    /// If the number of labels is not that of samples, or a label is not below the number of classes.
    #[track_caller]
    pub fn nll_loss(&self, labels: &[usize]) -> Self {
        NllLoss::default().forward(self, labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[-1.0f32, -2.0], [-3.0, -4.0], [-5.0, f32::NEG_INFINITY]]);
        assert_eq!(x.narrow(0, 0, 2).nll_loss(&[1, 0]).item(), 2.5);
        let loss = NllLoss { weight: Some(Tensor::from([1.0, 3.0])), ignore_index: Some(7), ..Default::default() };
        assert_eq!(loss.forward(&x, &[1, 0, 7]).item(), (6.0 + 3.0) / 4.0);
        let each = NllLoss { reduction: Reduction::None, ..loss };
        assert_eq!(each.forward(&x, &[1, 0, 7]).to_vec(), [6.0, 3.0, 0.0]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([4, 3], -2.0, 2.0);
        check::gradients(|x| x[0].nll_loss(&[2, 0, 1, 1]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].t().nll_loss(&[3, 0, 1]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].nll_loss(&[2]).powf(2.0), &[&check::random([3], -2.0, 2.0)]);
        let images = check::random([2, 3, 2, 2], -2.0, 2.0);
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            let weight = Some(Tensor::from([0.5, 2.0, 1.0]));
            let loss = NllLoss { weight, ignore_index: Some(1), reduction };
            check::gradients(|x| loss.forward(&x[0], &[2, 0, 1, 1, 0, 2, 2, 1]).powf(2.0), &[&images]);
        }
    }

    #[test]
    #[should_panic(expected = "nll_loss: label 3 of row 1 is not below 3, the number of classes")]
    fn labels_must_be_classes() {
        let _ = Tensor::<f32>::zeros([2, 3]).nll_loss(&[0, 3]);
    }
}
