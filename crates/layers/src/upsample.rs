//! [`Upsample`], [`PixelShuffle`] and [`PixelUnshuffle`]: layers that change the size of images, and learn nothing.
//!
//! | | equation | shapes |
//! |---|---|---|
//! | [`Upsample`] | each element is the nearest one of `x`, or a mean of those around its place | `[N, C, H, W]` -> `[N, C, H', W']`, or `[N, C, L]` -> `[N, C, L']` |
//! | [`PixelShuffle`] | `y[c, i r + u, j r + v] = x[c r^2 + u r + v, i, j]` | `[.., C r^2, H, W]` -> `[.., C, H r, W r]` |
//! | [`PixelUnshuffle`] | the way back | `[.., C, H r, W r]` -> `[.., C r^2, H, W]` |

use crate::module::no_parameters;
use crate::{Layer, Mode};
use chainrule_tensor::ops::{Interpolation, Resize};
use chainrule_tensor::{Real, Tensor};

/// Brings sequences or images to another size, by [`Tensor::interpolate`].
///
/// ```
/// use chainrule_layers::Upsample;
/// use chainrule_tensor::Tensor;
/// use chainrule_tensor::ops::Interpolation;
///
/// let x = Tensor::<f32>::ones([2, 3, 4, 4]);
/// assert_eq!(Upsample::new(2.0, Interpolation::Nearest).forward(&x).shape(), &[2, 3, 8, 8]);
/// let smooth = Interpolation::Linear { align_corners: false };
/// assert_eq!(Upsample::new([5, 7], smooth).forward(&x).shape(), &[2, 3, 5, 7]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Upsample {
    size: Resize,
    mode: Interpolation,
}

no_parameters!(Upsample);

impl Upsample {
    /// To a size (whole numbers) or by a factor (others), one for all dimensions or an array of them.
    pub fn new(size: impl Into<Resize>, mode: Interpolation) -> Self {
        Upsample { size: size.into(), mode }
    }

    /// The images in their new size.
    ///
    /// # Panics
    /// As [`Tensor::interpolate`].
    #[track_caller]
    pub fn forward<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
        x.interpolate(self.size.clone(), self.mode)
    }
}

impl<T: Real> Layer<T> for Upsample {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x)
    }
    fn describe(&self) -> String {
        let size = match &self.size {
            Resize::To(sizes) => format!("size={sizes:?}"),
            Resize::By(factors) => format!("scale_factor={factors:?}"),
        };
        let mode = match self.mode {
            Interpolation::Nearest => "nearest".into(),
            Interpolation::Linear { align_corners } => format!("linear, align_corners={align_corners}"),
        };
        format!("Upsample({size}, mode={mode})")
    }
}

macro_rules! shuffles {
    ($($(#[$doc:meta])* $Name:ident: $method:ident, $parameter:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $Name(
            /// The factor by which height and width change.
            pub usize,
        );

        no_parameters!($Name);

        impl $Name {
            #[doc = concat!("[`Tensor::", stringify!($method), "`].")]
            ///
            /// # Panics
            /// If the factor does not suit the shape.
            #[track_caller]
            pub fn forward<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
                x.$method(self.0)
            }
        }

        impl<T: Real> Layer<T> for $Name {
            fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
                self.forward(x)
            }
            fn describe(&self) -> String {
                format!(concat!(stringify!($Name), "(", $parameter, "={})"), self.0)
            }
        }
    )* };
}

shuffles! {
    /// Makes images larger: as many channels as a square has pixels become one.
    PixelShuffle: pixel_shuffle, "upscale_factor";
    /// Makes images smaller: the pixels of a square become channels.
    PixelUnshuffle: pixel_unshuffle, "downscale_factor";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_compute_what_the_methods_do() {
        let x = Tensor::<f32>::arange(16).reshape([1, 4, 2, 2]);
        let smooth = Interpolation::Linear { align_corners: true };
        let layers: [(Box<dyn Layer>, Tensor, &str); 4] = [
            (Box::new(PixelShuffle(2)), x.pixel_shuffle(2), "PixelShuffle(upscale_factor=2)"),
            (Box::new(PixelUnshuffle(2)), x.pixel_unshuffle(2), "PixelUnshuffle(downscale_factor=2)"),
            (
                Box::new(Upsample::new(3, smooth)),
                x.interpolate(3, smooth),
                "Upsample(size=[3], mode=linear, align_corners=true)",
            ),
            (
                Box::new(Upsample::new([1.5, 2.0], Interpolation::Nearest)),
                x.interpolate([1.5, 2.0], Interpolation::Nearest),
                "Upsample(scale_factor=[1.5, 2.0], mode=nearest)",
            ),
        ];
        for (layer, expected, line) in layers {
            let y = layer.call(&x, &mut Mode::Eval);
            assert_eq!((y.shape(), y.to_vec()), (expected.shape(), expected.to_vec()));
            assert_eq!(layer.describe(), line);
        }
    }
}
