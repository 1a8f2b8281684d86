//! Mean cross entropy of logits against class labels.
//!
//! | | |
//! |---|---|
//! | equation | `y = -1/n sum over rows i of ln p_i[t_i]`, `p = softmax(x)` |
//! | derivative | `x' = y' (p - onehot(t)) / n` |
//! | shapes | `x [n, classes]`, `n` labels; `y` has no dimension |
//! | saved | `x`, `p` and the labels |
//!
//! Softmax, logarithm and mean in one pass, stable for logits of any size.

use super::mean::mean_value;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Buffer, Real, softmax};

pub(super) static INFO: OpInfo = OpInfo {
    name: "cross_entropy",
    equation: "y = -mean of ln softmax(x)[label]",
    derivative: "x' = y' (softmax(x) - onehot(label)) / n",
    torch: "torch.nn.functional.cross_entropy",
};

#[derive(Debug)]
struct CrossEntropy<T: Real> {
    x: Tensor<T>,
    probabilities: Tensor<T>,
    labels: Vec<usize>,
}

impl<T: Real> Op<T> for CrossEntropy<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let (rows, classes) = (self.labels.len(), self.x.shape()[1]);
        let each = grad / T::from_usize(rows);
        if inputs.is_tracked() {
            inputs.add(0, || (self.x.softmax(1) - Tensor::one_hot(&self.labels, classes)) * each);
        } else {
            inputs.add(0, || {
                Tensor::build(self.x.shape().clone(), |out| {
                    let p = self.probabilities.to_slice();
                    softmax::cross_entropy_backward(&p, &self.labels, &[each.item()], classes, out);
                })
            });
        }
    }
}

impl<T: Real> Tensor<T> {
    /// The mean cross entropy of these logits, a row for each sample, against the samples' labels.
    ///
    /// # Panics
    /// If this is no matrix, the number of labels is not the number of rows, or a label is not below the number of columns.
    #[track_caller]
    pub fn cross_entropy(&self, labels: &[usize]) -> Self {
        assert!(
            self.rank() == 2 && self.shape()[0] == labels.len(),
            "cross_entropy: logits of shape {} do not go with {} labels: they must be [labels, classes]",
            self.shape(),
            labels.len()
        );
        let classes = self.shape()[1];
        if let Some((row, label)) = labels.iter().enumerate().find(|(_, label)| **label >= classes) {
            panic!("cross_entropy: label {label} of row {row} is not below {classes}, the number of classes");
        }
        let mut losses = Buffer::unspecified(labels.len());
        let probabilities = Self::build(self.shape().clone(), |p| {
            if classes > 0 {
                softmax::cross_entropy(&self.to_slice(), labels, classes, &mut losses, p);
            }
        });
        let value = mean_value(&Self::from_buffer(losses, labels.len().into()));
        Self::from_op(&INFO, value, &[self], || CrossEntropy { x: self.clone(), probabilities, labels: labels.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
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
    }

    #[test]
    fn gradcheck() {
        let x = check::random([4, 3], -2.0, 2.0);
        check::gradients(|x| x[0].cross_entropy(&[2, 0, 1, 1]), &[&x]);
        check::gradients(|x| x[0].t().cross_entropy(&[3, 0, 1]), &[&x]);
        check::gradients(|x| x[0].slice(1, 0, 3, 2).cross_entropy(&[1, 0, 1, 1]), &[&x]);
    }

    #[test]
    #[should_panic(expected = "cross_entropy: label 3 of row 1 is not below 3, the number of classes")]
    fn labels_must_be_classes() {
        let _ = Tensor::<f32>::zeros([2, 3]).cross_entropy(&[0, 3]);
    }

    #[test]
    #[should_panic(expected = "cross_entropy: logits of shape [2, 3] do not go with 3 labels")]
    fn every_row_has_a_label() {
        let _ = Tensor::<f32>::zeros([2, 3]).cross_entropy(&[0, 1, 2]);
    }
}
