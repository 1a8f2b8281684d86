//! Channels become pixels: an image grows by a factor, and has as many times fewer channels; and the way back.
//!
//! | | |
//! |---|---|
//! | equation | `y[c, i r + u, j r + v] = x[c r^2 + u r + v, i, j]` for `u, v < r` |
//! | derivative | that of `reshape` and `permute`, of which it is composed |
//! | shapes | `x [.., C r^2, H, W]` -> `y [.., C, H r, W r]` |
//! | saved | nothing |
//! | source | W. Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural network", CVPR 2016 |

use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "pixel_shuffle",
    equation: "y[c, i r + u, j r + v] = x[c r^2 + u r + v, i, j]",
    derivative: "composed of reshape and permute",
    torch: "torch.nn.functional.pixel_shuffle",
};

impl<T: Real> Tensor<T> {
    /// Images `[.., C r^2, H, W]` as images `[.., C, H r, W r]`: each pixel becomes a square of `r` times `r` pixels, filled from
    /// as many channels.
    ///
    /// # Panics
    /// If there are fewer than three dimensions, or `r^2` does not divide the channels.
    #[track_caller]
    pub fn pixel_shuffle(&self, factor: usize) -> Self {
        let r = factor;
        let Some((batch, &[channels, height, width])) = self.shape().split_last_chunk() else {
            panic!("pixel_shuffle: input {} must be [.., C, H, W]", self.shape())
        };
        assert!(
            r > 0 && channels.is_multiple_of(r * r),
            "pixel_shuffle: input {} with factor {r}: the channels must be a multiple of its square",
            self.shape()
        );
        let split = self.reshape([batch, &[channels / (r * r), r, r, height, width]].concat());
        let order = [0, 3, 1, 4, 2].map(|d| batch.len() + d);
        let ordered = split.permute((0..batch.len()).chain(order).collect::<Vec<_>>());
        ordered.reshape([batch, &[channels / (r * r), height * r, width * r]].concat())
    }

    /// Images `[.., C, H r, W r]` as images `[.., C r^2, H, W]`: the way back from [`pixel_shuffle`](Tensor::pixel_shuffle).
    ///
    /// # Panics
    /// If there are fewer than three dimensions, or `r` does not divide the height and the width.
    #[track_caller]
    pub fn pixel_unshuffle(&self, factor: usize) -> Self {
        let r = factor;
        let Some((batch, &[channels, height, width])) = self.shape().split_last_chunk() else {
            panic!("pixel_unshuffle: input {} must be [.., C, H, W]", self.shape())
        };
        assert!(
            r > 0 && height.is_multiple_of(r) && width.is_multiple_of(r),
            "pixel_unshuffle: input {} with factor {r}: height and width must be multiples of it",
            self.shape()
        );
        let split = self.reshape([batch, &[channels, height / r, r, width / r, r]].concat());
        let order = [0, 2, 4, 1, 3].map(|d| batch.len() + d);
        let ordered = split.permute((0..batch.len()).chain(order).collect::<Vec<_>>());
        ordered.reshape([batch, &[channels * r * r, height / r, width / r]].concat())
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(8).reshape([4, 1, 2]);
        let y = x.pixel_shuffle(2);
        assert_eq!((y.shape().to_vec(), y.to_vec()), (vec![1, 2, 4], vec![0., 2., 1., 3., 4., 6., 5., 7.]));
        let back = y.pixel_unshuffle(2);
        assert_eq!((back.shape(), back.to_vec()), (x.shape(), x.to_vec()));
        assert_eq!(Tensor::<f32>::zeros([0, 2, 9, 1, 1]).pixel_shuffle(3).shape(), &[0, 2, 1, 3, 3]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 4, 2, 3], -1.0, 1.0);
        check::gradients(|x| x[0].pixel_shuffle(2).powf(2.0), &[&x]);
        check::gradients(|x| x[0].transpose(0, 1).pixel_unshuffle(1).powf(2.0), &[&x]);
        check::gradients(|x| x[0].slice(3, 0, 3, 2).pixel_unshuffle(2).powf(2.0), &[&x]);
        check::gradients(|x| x[0].broadcast_to([3, 2, 4, 2, 3]).pixel_shuffle(2).powf(2.0), &[&x]);
        check::gradients(|x| x[0].pixel_shuffle(2), &[&check::random([0, 4, 1, 1], -1.0, 1.0)]);
        check::gradients(|x| x[0].pixel_shuffle(1).powf(2.0), &[&check::random([1, 1, 1], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "pixel_shuffle: input [6, 2, 2] with factor 2")]
    fn channels_must_fit() {
        let _ = Tensor::<f32>::zeros([6, 2, 2]).pixel_shuffle(2);
    }
}
