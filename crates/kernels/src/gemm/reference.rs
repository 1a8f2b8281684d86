//! The definition of a matrix product, for tests to compare with.

use super::{Epilogue, Mat};
use crate::{Accum, Real};

/// `c = epilogue(a b)`, one element after another, summed in `f64`.
pub fn gemm<T: Real>(a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T], epilogue: Epilogue<'_, T>) {
    for i in 0..a.rows {
        for j in 0..b.cols {
            let product: f64 = (0..a.cols)
                .map(|p| {
                    let (x, y) =
                        (a.data[i * a.row_stride + p * a.col_stride], b.data[p * b.row_stride + j * b.col_stride]);
                    x.to_f64() * y.to_f64()
                })
                .sum();
            let at = i * b.cols + j;
            let mut value = product + if epilogue.accum == Accum::Add { c[at].to_f64() } else { 0.0 };
            value += epilogue.col_bias.map_or(0.0, |bias| bias[j].to_f64());
            value += epilogue.row_bias.map_or(0.0, |bias| bias[i].to_f64());
            c[at] = T::from_f64(if epilogue.relu { value.max(0.0) } else { value });
        }
    }
}
