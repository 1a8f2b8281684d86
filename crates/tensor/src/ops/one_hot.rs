//! Labels as vectors with a one in the label's place.
//!
//! | | |
//! |---|---|
//! | equation | `y[.., c] = 1` where `c` is the label at `[..]`, else 0 |
//! | derivative | none: labels are plain integers |
//! | shapes | that of the labels, and the number of classes behind it |
//! | saved | nothing |

use crate::{Indices, OpInfo, Tensor};
use chainrule_kernels::{Buffer, Real};

pub(super) static INFO: OpInfo = OpInfo {
    name: "one_hot",
    equation: "y[.., c] = 1 where c is the label, else 0",
    derivative: "none: labels are plain integers",
    torch: "torch.nn.functional.one_hot",
};

impl<T: Real> Tensor<T> {
    /// For each label a vector of `classes` numbers: a one in the label's place, zeros elsewhere.
    ///
    /// # Panics
    /// If a label is not below `classes`.
    #[track_caller]
    pub fn one_hot(labels: impl Into<Indices>, classes: usize) -> Self {
        let labels = labels.into();
        let mut buffer = Buffer::zeroed(labels.len() * classes);
        for (row, &label) in labels.iter().enumerate() {
            assert!(label < classes, "one_hot: label {label} of row {row} is not below {classes}");
            buffer[row * classes + label] = T::ONE;
        }
        Self::from_buffer(buffer, labels.shape().iter().copied().chain([classes]).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::check;
    use crate::{Indices, Tensor};

    #[test]
    fn worked_example() {
        let y = Tensor::<f32>::one_hot([2, 0], 3);
        assert_eq!(y.to_vec(), [0., 0., 1., 1., 0., 0.]);
        assert_eq!(Tensor::<f32>::one_hot([[0, 1], [1, 0]], 2).shape(), &[2, 2, 2]);
        assert_eq!(Tensor::<f32>::one_hot(Indices::new([], [0]), 4).shape(), &[0, 4]);
    }

    #[test]
    fn gradcheck() {
        // A product with it picks as gather does.
        let x = check::random([3, 2], -1.0, 1.0);
        check::gradients(|x| Tensor::one_hot([2, 0, 2], 3).matmul(&x[0]).powf(2.0), &[&x]);
    }

    #[test]
    #[should_panic(expected = "one_hot: label 3 of row 1 is not below 3")]
    fn labels_must_exist() {
        let _ = Tensor::<f32>::one_hot([0, 3], 3);
    }
}
