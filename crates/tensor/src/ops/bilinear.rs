//! A bilinear map of two inputs: every output is a weighted sum of the products of all their pairs.
//!
//! | | |
//! |---|---|
//! | equation | `y_o = sum over i, j of a_i W[o, i, j] b_j + c_o` |
//! | derivative | composed of `matmul`, `permute` and `add` |
//! | shapes | `a [.., n]`, `b [.., m]`, `W [out, n, m]`, `c [out]` -> `[.., out]` |
//! | saved | what those save |
//!
//! One product makes the matrices `a W` of all rows, a batch of products with a vector each the rest.

use crate::{OpInfo, Shape, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "bilinear",
    equation: "y_o = sum over i, j of a_i W[o, i, j] b_j + c_o",
    derivative: "composed of matmul, permute and add",
    torch: "torch.nn.functional.bilinear",
};

impl<T: Real> Tensor<T> {
    /// `self^T W other + bias` for each output, over the last dimensions.
    ///
    /// # Panics
    /// If the inputs' leading dimensions differ, or their last ones and the weight `[out, n, m]` or bias `[out]` do not fit.
    #[track_caller]
    pub fn bilinear(&self, other: &Self, weight: &Self, bias: Option<&Self>) -> Self {
        let fits = weight.rank() == 3
            && self.rank() == other.rank()
            && self.shape().last() == Some(&weight.shape()[1])
            && other.shape().last() == Some(&weight.shape()[2])
            && self.shape()[..self.rank() - 1] == other.shape()[..self.rank() - 1]
            && bias.is_none_or(|bias| bias.shape() == &[weight.shape()[0]]);
        assert!(
            fits,
            "bilinear: inputs {} and {}, weight {}, bias {}: they must be [.., n], [.., m], [out, n, m] and [out]",
            self.shape(),
            other.shape(),
            weight.shape(),
            bias.map_or_else(|| "none".to_string(), |bias| bias.shape().to_string())
        );
        let (outputs, n, m) = (weight.shape()[0], weight.shape()[1], weight.shape()[2]);
        let rows: usize = self.shape()[..self.rank() - 1].iter().product();
        let pairs = self.reshape([rows, n]).matmul(&weight.permute([1, 0, 2]).reshape([n, outputs * m]));
        let y = pairs.reshape([rows, outputs, m]).matmul(&other.reshape([rows, m, 1]));
        let shape: Shape = self.shape()[..self.rank() - 1].iter().copied().chain([outputs]).collect();
        let y = y.reshape(shape);
        match bias {
            Some(bias) => y + bias,
            None => y,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (a, b) = (Tensor::from([[1.0f32, 2.0]]), Tensor::from([[3.0f32, 4.0]]));
        let weight = Tensor::from([[[1.0f32, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 0.0]]]);
        // The inner product, and a_0 b_1.
        assert_eq!(a.bilinear(&b, &weight, None).to_vec(), [11., 4.]);
        assert_eq!(a.bilinear(&b, &weight, Some(&Tensor::from([0.5, -1.0]))).to_vec(), [11.5, 3.]);
        assert_eq!(Tensor::<f32>::zeros([0, 2]).bilinear(&Tensor::zeros([0, 2]), &weight, None).shape(), &[0, 2]);
        assert_eq!(a.select(0, 0).bilinear(&b.select(0, 0), &weight, None).to_vec(), [11., 4.]);
    }

    #[test]
    fn gradcheck() {
        let (a, b) = (check::random([2, 3], -1.0, 1.0), check::random([4, 2], -1.0, 1.0));
        let (w, c) = (check::random([2, 3, 4], -1.0, 1.0), check::random([2], -1.0, 1.0));
        check::gradients(|x| x[0].bilinear(&x[1].t(), &x[2], Some(&x[3])), &[&a, &b, &w, &c]);
        check::gradients(|x| x[0].bilinear(&x[0], &x[1].narrow(2, 0, 3), None), &[&a, &w]);
        check::gradients(
            |x| x[0].broadcast_to([2, 2, 3]).bilinear(&x[0].broadcast_to([2, 2, 3]), &x[1].narrow(2, 1, 3), None),
            &[&a, &w],
        );
    }

    #[test]
    #[should_panic(expected = "bilinear: inputs [2, 3] and [2, 4], weight [5, 4, 3], bias none")]
    fn shapes_must_fit() {
        let _ = Tensor::<f32>::zeros([2, 3]).bilinear(&Tensor::zeros([2, 4]), &Tensor::zeros([5, 4, 3]), None);
    }
}
