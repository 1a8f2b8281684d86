//! The portable product: matrixmultiply, which has kernels for SSE2, AVX, FMA and NEON.

use super::Mat;
use super::tile::Finish;
use crate::{Accum, Real};

/// The product that matrixmultiply offers for a number type.
pub(crate) trait Product: Real {
    /// `c = beta c + a b`, where row `i` of `c` starts at `c + i * c_row`.
    ///
    /// # Safety
    /// `c` can be written at all of these places, and nobody else uses them.
    unsafe fn scaled(a: Mat<'_, Self>, b: Mat<'_, Self>, beta: Self, c: *mut Self, c_row: usize);
}

macro_rules! product {
    ($t:ident, $gemm:path) => {
        impl Product for $t {
            unsafe fn scaled(a: Mat<'_, $t>, b: Mat<'_, $t>, beta: $t, c: *mut $t, c_row: usize) {
                let stride = |s: usize| isize::try_from(s).expect("a stride fits isize");
                // SAFETY: `Mat::new` checked that every element of the factors lies inside its slice; the rest is the
                // caller's.
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
                        c,
                        stride(c_row),
                        1,
                    );
                }
            }
        }
    };
}
product!(f32, matrixmultiply::sgemm);
product!(f64, matrixmultiply::dgemm);

/// `c = a b` or `c += a b`.
///
/// # Safety
/// As for [`Product::scaled`].
pub(super) unsafe fn product<T: Product>(a: Mat<'_, T>, b: Mat<'_, T>, accum: Accum, c: *mut T, c_row: usize) {
    let beta = match accum {
        Accum::Replace => T::ZERO,
        Accum::Add => T::ONE,
    };
    // SAFETY: the caller's.
    unsafe { T::scaled(a, b, beta, c, c_row) };
}

/// Biases and activation, after the product.
///
/// # Safety
/// As for [`Product::scaled`]; the biases have a number for each row or column.
pub(super) unsafe fn finish<T: Real>(c: *mut T, c_row: usize, rows: usize, cols: usize, finish: &Finish<T>) {
    if finish.col_bias.is_null() && finish.row_bias.is_null() && !finish.relu {
        return;
    }
    for i in 0..rows {
        // SAFETY: the caller's.
        let row = unsafe { std::slice::from_raw_parts_mut(c.add(i * c_row), cols) };
        if !finish.col_bias.is_null() {
            // SAFETY: the caller's.
            let bias = unsafe { std::slice::from_raw_parts(finish.col_bias, cols) };
            row.iter_mut().zip(bias).for_each(|(x, &b)| *x += b);
        }
        if !finish.row_bias.is_null() {
            // SAFETY: the caller's.
            let bias = unsafe { *finish.row_bias.add(i) };
            row.iter_mut().for_each(|x| *x += bias);
        }
        if finish.relu {
            row.iter_mut().for_each(|x| *x = x.maximum(T::ZERO));
        }
    }
}
