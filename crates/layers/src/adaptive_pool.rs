//! [`AdaptiveAvgPool1d`], [`AdaptiveAvgPool2d`], [`AdaptiveMaxPool1d`] and [`AdaptiveMaxPool2d`]: poolings that are told the size
//! of their output.
//!
//! | | |
//! |---|---|
//! | equation | `y[n, c, i, j] = mean` or `max` of `x` over window `i` of the rows and `j` of the columns |
//! | windows | of `O` windows over `S` elements, `i` goes from `i S / O`, rounded down, to `(i + 1) S / O`, rounded up |
//! | shapes | `x [N, C, H, W]` -> `y [N, C, OH, OW]`, whatever `H` and `W` |
//! | parameters | none |
//!
//! In one dimension the same without the height. The batch may be missing.

use crate::extent::Extent;
use crate::module::no_parameters;
use crate::{Layer, Mode};
use chainrule_tensor::{Real, Tensor};

macro_rules! adaptive {
    ($($Pool:ident, $One:ident, $Two:ident: $method:ident, $what:literal;)*) => { $(
        #[doc = concat!("The ", $what, " of each of a given number of windows that divide a sequence.")]
        pub type $One = $Pool<1>;

        #[doc = concat!("The ", $what, " of each of a given number of windows that divide an image.")]
        ///
        /// ```
        #[doc = concat!("use chainrule_layers::", stringify!($Two), ";")]
        /// use chainrule_tensor::Tensor;
        ///
        #[doc = concat!("let layer = ", stringify!($Two), "::new([2, 3]);")]
        /// assert_eq!(layer.forward(&Tensor::<f32>::ones([8, 4, 7, 5])).shape(), &[8, 4, 2, 3]);
        /// ```
        pub type $Two = $Pool<2>;

        #[doc = concat!("The ", $what, " of each window: [`", stringify!($One), "`] or [`", stringify!($Two), "`].")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $Pool<const D: usize> {
            output: Extent<D>,
        }

        no_parameters!(for<D> $Pool<D>);

        impl<const D: usize> $Pool<D> {
            /// As many windows along each dimension: a number or an array (`[height, width]`).
            pub fn new(output: impl Into<Extent<D>>) -> Self {
                $Pool { output: output.into() }
            }

            #[doc = concat!("The ", $what, " of each window.")]
            ///
            /// # Panics
            /// If `x` has not the layer's number of dimensions, or its images are empty.
            #[track_caller]
            pub fn forward<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
                x.$method(self.output.0)
            }
        }

        impl<const D: usize, T: Real> Layer<T> for $Pool<D> {
            fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
                self.forward(x)
            }
            fn describe(&self) -> String {
                format!(concat!(stringify!($Pool), "{}d(output_size={})"), D, self.output)
            }
        }
    )* };
}

adaptive! {
    AdaptiveAvgPool, AdaptiveAvgPool1d, AdaptiveAvgPool2d: adaptive_avg_pool, "mean";
    AdaptiveMaxPool, AdaptiveMaxPool1d, AdaptiveMaxPool2d: adaptive_max_pool, "maximum";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_has_the_size_that_was_asked_for() {
        let x = Tensor::<f32>::arange(12).reshape([1, 3, 4]);
        assert_eq!(AdaptiveAvgPool2d::new(1).forward(&x).to_vec(), [5.5]);
        assert_eq!(AdaptiveMaxPool2d::new([3, 1]).forward(&x).to_vec(), [3.0, 7.0, 11.0]);
        assert_eq!(AdaptiveAvgPool1d::new(2).forward(&x).shape(), &[1, 3, 2]);
        assert_eq!(AdaptiveMaxPool1d::new(4).forward(&x).to_vec(), x.to_vec());
        let describe = |layer: &dyn Layer| layer.describe();
        assert_eq!(describe(&AdaptiveAvgPool2d::new([1, 2])), "AdaptiveAvgPool2d(output_size=(1, 2))");
        assert_eq!(describe(&AdaptiveMaxPool1d::new(3)), "AdaptiveMaxPool1d(output_size=3)");
    }
}
