//! Rectified linear unit with a learned slope below 0: `y = x` or `w x`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_i` where `x_i > 0`, else `w_c x_i`, `c` the channel of `i` |
//! | derivative | that of [`where_`](Tensor::where_) and [`mul`](Tensor::mul), of which it is composed |
//! | shapes | `x [n, channels, ..]` with `w [channels]`; any `x` with `w [1]` |
//! | source | K. He et al., "Delving deep into rectifiers", arXiv:1502.01852 (2015) |

use crate::{OpInfo, Shape, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "prelu",
    equation: "y = x where x > 0, else w x",
    derivative: "composed of where and mul",
    torch: "torch.nn.functional.prelu",
};

impl<T: Real> Tensor<T> {
    /// Every element where it is positive, and the weight of its channel (dimension 1) times it elsewhere; one weight serves
    /// all channels.
    ///
    /// # Panics
    /// If the number of weights is neither 1 nor that of channels.
    #[track_caller]
    pub fn prelu(&self, weight: &Self) -> Self {
        let channels = if self.rank() < 2 { 1 } else { self.shape()[1] };
        assert!(
            weight.rank() <= 1 && (weight.numel() == 1 || weight.numel() == channels),
            "prelu: weights of shape {} do not go with an input of shape {}: there must be 1 or one for each of {channels} channels",
            weight.shape(),
            self.shape()
        );
        // The weights stand along dimension 1.
        let along: Shape = (1..self.rank().max(2)).map(|d| if d == 1 { weight.numel() } else { 1 }).collect();
        let weight = if weight.numel() == 1 { weight.reshape([] as [usize; 0]) } else { weight.reshape(along) };
        let positive = self.gt(Self::scalar(T::ZERO));
        // An infinite element that no weight multiplies must not meet the weight's gradient.
        Self::where_(&positive, self, weight * Self::where_(&positive, Self::scalar(T::ZERO), self))
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[[-1.0f32, 2.0], [-3.0, 0.0]]]);
        assert_eq!(x.prelu(&Tensor::from([0.5, 2.0])).to_vec(), [-0.5, 2.0, -6.0, 0.0]);
        assert_eq!(x.prelu(&Tensor::from([0.5])).to_vec(), [-0.5, 2.0, -1.5, 0.0]);
    }

    #[test]
    fn gradcheck() {
        let (x, w) = (check::random([2, 3, 2], -1.0, 1.0), check::random([3], -1.0, 1.0));
        check::gradients(|x| x[0].prelu(&x[1]), &[&x, &w]);
        check::gradients(|x| x[0].t().prelu(&x[1].narrow(0, 1, 1)), &[&x, &w]);
        check::gradients(|x| x[0].prelu(&x[1]), &[&check::random([], -1.0, 1.0), &check::random([1], -1.0, 1.0)]);
        check::gradients(|x| x[0].prelu(&x[1]), &[&check::random([0, 3], -1.0, 1.0), &w]);
    }

    #[test]
    #[should_panic(expected = "prelu: weights of shape [2] do not go with an input of shape [4, 3]")]
    fn weights_must_fit() {
        let _ = Tensor::<f32>::zeros([4, 3]).prelu(&Tensor::zeros([2]));
    }
}
