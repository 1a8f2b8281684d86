//! The portable product: matrixmultiply, which has kernels for SSE2, AVX, FMA and NEON.

use super::Mat;
use crate::{Accum, Real};

/// The product that matrixmultiply offers for a number type.
pub(super) trait Product: Real {
    /// `c = beta c + a b`.
    fn scaled(a: Mat<'_, Self>, b: Mat<'_, Self>, beta: Self, c: &mut [Self]);
}

macro_rules! product {
    ($t:ident, $gemm:path) => {
        impl Product for $t {
            fn scaled(a: Mat<'_, $t>, b: Mat<'_, $t>, beta: $t, c: &mut [$t]) {
                let stride = |s: usize| isize::try_from(s).expect("a stride fits isize");
                // SAFETY: `Mat::new` and the caller checked that every element lies inside its slice, and `c`, borrowed
                // mutably, overlaps neither input.
                unsafe {
                    $gemm(
                        a.rows,
                        a.cols,
                        b.cols,
                        1.0,
                        a.data.as_ptr(),
                        stride(a.row_stride),
                        stride(a.col_stride),
                        b.data.as_ptr(),
                        stride(b.row_stride),
                        stride(b.col_stride),
                        beta,
                        c.as_mut_ptr(),
                        stride(b.cols),
                        1,
                    );
                }
            }
        }
    };
}
product!(f32, matrixmultiply::sgemm);
product!(f64, matrixmultiply::dgemm);

/// `c = a b` or `c += a b`; `c` is row-major.
pub(super) fn product<T: Product>(a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T], accum: Accum) {
    assert_eq!(c.len(), a.rows * b.cols, "gemm: the output has another size");
    let beta = match accum {
        Accum::Replace => T::ZERO,
        Accum::Add => T::ONE,
    };
    T::scaled(a, b, beta, c);
}
