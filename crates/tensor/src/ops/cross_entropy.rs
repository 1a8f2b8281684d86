//! Cross entropy of logits against class labels, or against probabilities.
//!
//! | | |
//! |---|---|
//! | equation | `y = -mean over samples i of w[t_i] ln p_i[t_i]`, `p = softmax(x)`, the mean weighted by `w[t_i]`; or the sum, or each |
//! | derivative | `x_i' = y' (p_i - onehot(t_i)) w[t_i] / sum of w[t_i]` |
//! | shapes | `x [n, classes, ..]` or `[classes]`; a label for each sample `[n, ..]`, row-major, or probabilities of the shape of `x`. `y` has no dimension, or the samples' if not reduced |
//! | saved | `x`, `p` and the labels |
//! | source | C. Szegedy et al., "Rethinking the inception architecture for computer vision", arXiv:1512.00567 (2015), for smoothing |
//!
//! Softmax, logarithm and mean in one pass, stable for logits of any size. Against probabilities `q`, and with labels smoothed by `s`
//! (`q = (1 - s) onehot(t) + s / classes`), it is composed of `log_softmax` and `-sum of w q ln p`.

use super::labels::{LabelOptions, Labels, class_dim, rows, samples};
use super::reduction::Reduction;
use crate::{Indices, Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Buffer, Real, softmax};

pub(super) static INFO: OpInfo = OpInfo {
    name: "cross_entropy",
    equation: "y = -mean of ln softmax(x)[label]",
    derivative: "x' = y' (softmax(x) - onehot(label)) / n",
    torch: "torch.nn.functional.cross_entropy",
};

/// The cross entropy of logits, with options.
///
/// ```
/// use chainrule_tensor::{Tensor, ops::CrossEntropyLoss};
///
/// let logits = Tensor::<f32>::zeros([3, 4]);
/// let loss = CrossEntropyLoss { label_smoothing: 0.1, ignore_index: Some(3), ..Default::default() };
/// assert!((loss.forward(&logits, &[0, 3, 1]).item() - 4f32.ln()).abs() < 1e-6);
/// ```
#[derive(Clone, Debug, Default)]
pub struct CrossEntropyLoss<T: Real = f32> {
    /// A factor for each class.
    pub weight: Option<Tensor<T>>,
    /// A label whose samples do not count.
    pub ignore_index: Option<usize>,
    /// How much of a label's probability is spread evenly over all classes, from 0 to 1.
    pub label_smoothing: f64,
    /// Mean (weighted by the labels' weights), sum or each.
    pub reduction: Reduction,
}

/// What a cross entropy compares with.
#[derive(Clone, Copy, Debug)]
pub enum ClassTarget<'a, T: Real> {
    /// The class of each sample.
    Labels(&'a [usize]),
    /// The probability of each class for each sample, in the shape of the logits.
    Probabilities(&'a Tensor<T>),
}

impl<'a, T: Real> From<&'a [usize]> for ClassTarget<'a, T> {
    fn from(labels: &'a [usize]) -> Self {
        ClassTarget::Labels(labels)
    }
}
impl<'a, T: Real, const N: usize> From<&'a [usize; N]> for ClassTarget<'a, T> {
    fn from(labels: &'a [usize; N]) -> Self {
        ClassTarget::Labels(labels)
    }
}
impl<'a, T: Real> From<&'a Vec<usize>> for ClassTarget<'a, T> {
    fn from(labels: &'a Vec<usize>) -> Self {
        ClassTarget::Labels(labels)
    }
}
impl<'a, T: Real> From<&'a Indices> for ClassTarget<'a, T> {
    fn from(labels: &'a Indices) -> Self {
        ClassTarget::Labels(labels)
    }
}
impl<'a, T: Real> From<&'a Tensor<T>> for ClassTarget<'a, T> {
    fn from(probabilities: &'a Tensor<T>) -> Self {
        ClassTarget::Probabilities(probabilities)
    }
}

#[derive(Debug)]
struct Rule<T: Real> {
    x: Tensor<T>,
    probabilities: Tensor<T>,
    labels: Labels<T>,
}

impl<T: Real> Op<T> for Rule<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let Labels { index, factors, ignored, divisor } = &self.labels;
        let classes = self.x.shape()[1];
        let mut each = grad / *divisor;
        if let Some(factors) = factors {
            each = each * factors;
        }
        if let Some(ignored) = ignored {
            // If all are ignored, the divisor is 0.
            each = Tensor::where_(ignored, Tensor::scalar(T::ZERO), each);
        }
        if inputs.is_tracked() {
            let each = if each.rank() == 0 { each } else { each.unsqueeze(1) };
            inputs.add(0, || (self.x.softmax(1) - Tensor::one_hot(&index[..], classes)) * each);
        } else {
            inputs.add(0, || {
                Tensor::build(self.x.shape().clone(), |out| {
                    let p = self.probabilities.to_slice();
                    softmax::cross_entropy_backward(&p, index, &each.to_slice(), classes, out);
                })
            });
        }
    }
}

/// The loss of rows of logits in one pass.
#[track_caller]
fn fused<T: Real>(x: &Tensor<T>, labels: Labels<T>, reduction: Reduction) -> Tensor<T> {
    let classes = x.shape()[1];
    let mut losses = Buffer::unspecified(labels.index.len());
    let probabilities = Tensor::build(x.shape().clone(), |p| {
        if classes > 0 {
            softmax::cross_entropy(&x.to_slice(), &labels.index, classes, &mut losses, p);
        }
    });
    let value = labels.value(losses, reduction);
    Tensor::from_op(&INFO, value, &[x], || Rule { x: x.clone(), probabilities, labels })
}

impl<T: Real> CrossEntropyLoss<T> {
    /// The cross entropy of the logits `input` against labels (`&[usize]`) or probabilities (`&Tensor`).
    ///
    /// # Panics
    /// If the number of labels is not that of samples, a label is not below the number of classes, probabilities have another
    /// shape than the logits, or the weights are not one for each class.
    #[track_caller]
    pub fn forward<'a>(&self, input: &Tensor<T>, target: impl Into<ClassTarget<'a, T>>) -> Tensor<T> {
        self.compute(input, target.into())
    }

    #[inline(never)]
    #[track_caller]
    fn compute(&self, input: &Tensor<T>, target: ClassTarget<'_, T>) -> Tensor<T> {
        let CrossEntropyLoss { weight, ignore_index, label_smoothing: smoothing, reduction } = self;
        let (op, weight, ignore_index, reduction) = (INFO.name, weight.as_ref(), *ignore_index, *reduction);
        assert!((0.0..=1.0).contains(smoothing), "cross_entropy: label_smoothing {smoothing} is not between 0 and 1");
        let options = LabelOptions { op, weight, ignore_index, reduction };
        let classes = input.shape()[class_dim(op, input.shape())];
        let loss = match target {
            ClassTarget::Labels(labels) => {
                let labels = options.check(input.shape(), labels);
                if *smoothing == 0.0 {
                    fused(&rows(input), labels, reduction)
                } else {
                    self.smoothed(&rows(input), labels)
                }
            }
            ClassTarget::Probabilities(target) => {
                assert!(
                    target.shape() == input.shape(),
                    "cross_entropy: probabilities {} and logits {} must have the same shape",
                    target.shape(),
                    input.shape()
                );
                options.check_weight(classes);
                let target = rows(target) * T::from_f64(1.0 - smoothing) + T::from_f64(smoothing / classes as f64);
                let mut each = rows(input).log_softmax(1) * target;
                if let Some(weight) = weight {
                    each = each * weight;
                }
                reduction.apply(&-each.sum_dim(1, false))
            }
        };
        if reduction == Reduction::None { loss.reshape(samples(input.shape())) } else { loss }
    }

    /// `(1 - s)` times the loss of the labels and `s / classes` times that of all classes.
    #[track_caller]
    fn smoothed(&self, x: &Tensor<T>, labels: Labels<T>) -> Tensor<T> {
        let (smoothing, classes) = (self.label_smoothing, x.shape()[1]);
        let log = x.log_softmax(1);
        let of_label = labels.reduce(-log.gather(1, labels.places(x.shape(), 1)).squeeze(1), self.reduction);
        let weighted = match &self.weight {
            Some(weight) => log * weight,
            None => log,
        };
        // The classes' weights are in this sum already.
        let of_all = Labels { factors: None, ..labels }.reduce(-weighted.sum_dim(1, false), self.reduction);
        of_label * T::from_f64(1.0 - smoothing) + of_all * T::from_f64(smoothing / classes as f64)
    }
}

impl<T: Real> Tensor<T> {
    /// The mean cross entropy of these logits, a row for each sample, against the samples' labels (`&[usize]`), or against
    /// probabilities (`&Tensor`). [`CrossEntropyLoss`] has the options.
    ///
    /// # Panics
    /// If the number of labels is not that of samples, a label is not below the number of classes, or probabilities have
    /// another shape than the logits.
    #[track_caller]
    pub fn cross_entropy<'a>(&self, target: impl Into<ClassTarget<'a, T>>) -> Self {
        CrossEntropyLoss::default().forward(self, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        // Probabilities 1/4, 3/4 and 1/2, 1/2.
        let x = Tensor::from([[0.0f64, 3f64.ln()], [1000.0, 1000.0]]);
        assert!((x.cross_entropy(&[0, 1]).item() - 8f64.ln() / 2.0).abs() < 1e-15);
        let certain = Tensor::from([[1000.0f32, -1000.0]]).requires_grad();
        let loss = certain.cross_entropy(&[1]);
        assert_eq!(loss.item(), 2000.0);
        assert_eq!(loss.backward().get(&certain).unwrap().to_vec(), [1.0, -1.0]);
        let q = Tensor::from([[0.5, 0.5], [1.0, 0.0]]);
        let expected = ((16.0f64 / 3.0).ln() / 2.0 + 2f64.ln()) / 2.0;
        assert!((x.cross_entropy(&q).item() - expected).abs() < 1e-15);
        let weighted =
            CrossEntropyLoss { weight: Some(Tensor::from([1.0, 3.0])), ignore_index: Some(9), ..Default::default() };
        assert!((weighted.forward(&x, &[0, 1]).item() - (4f64.ln() + 3.0 * 2f64.ln()) / 4.0).abs() < 1e-15);
        assert!((weighted.forward(&x, &[0, 9]).item() - 4f64.ln()).abs() < 1e-15);
        assert!(weighted.forward(&x, &[9, 9]).item().is_nan());
    }

    #[test]
    fn gradcheck() {
        let x = check::random([4, 3], -2.0, 2.0);
        check::gradients(|x| x[0].cross_entropy(&[2, 0, 1, 1]), &[&x]);
        check::gradients(|x| x[0].t().cross_entropy(&[3, 0, 1]), &[&x]);
        check::gradients(|x| x[0].slice(1, 0, 3, 2).cross_entropy(&[1, 0, 1, 1]), &[&x]);
        check::gradients(|x| x[0].cross_entropy(&[1]), &[&check::random([3], -2.0, 2.0)]);
        let q = check::random([4, 3], 0.1, 0.9);
        check::gradients(|x| x[0].cross_entropy(&x[1]), &[&x, &q]);
    }

    #[test]
    fn gradcheck_of_options() {
        let (x, q) = (check::random([2, 3, 2, 2], -2.0, 2.0), check::random([2, 3, 2, 2], 0.1, 0.9));
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            for label_smoothing in [0.0, 0.3] {
                for weight in [None, Some(Tensor::from([0.5, 2.0, 1.0]))] {
                    let ignore_index = weight.is_some().then_some(1);
                    let loss = CrossEntropyLoss { weight, ignore_index, label_smoothing, reduction };
                    check::gradients(|x| loss.forward(&x[0], &[2, 0, 1, 1, 0, 2, 2, 1]), &[&x]);
                    check::gradients(|x| loss.forward(&x[0], &x[1]), &[&x, &q]);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "cross_entropy: label 3 of row 1 is not below 3, the number of classes")]
    fn labels_must_be_classes() {
        let _ = Tensor::<f32>::zeros([2, 3]).cross_entropy(&[0, 3]);
    }

    #[test]
    #[should_panic(expected = "cross_entropy: an input of shape [2, 3] does not go with 3 labels")]
    fn every_row_has_a_label() {
        let _ = Tensor::<f32>::zeros([2, 3]).cross_entropy(&[0, 1, 2]);
    }
}
