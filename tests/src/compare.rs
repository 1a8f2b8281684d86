//! Compares numbers with PyTorch's.

use crate::fixture::Array;
use chainrule_tensor::{Real, Tensor};

/// Fixed numbers with three bits behind the point, the same as in `generate/common.py`.
pub fn direction<T: Real>(shape: &[usize], k: usize) -> Tensor<T> {
    Tensor::from_fn(shape, |i| T::from_f64((((3 * i * i + 7 * i + 5 * k) % 31) as f64 - 15.0) / 8.0))
}

/// How close is close enough: `|ours - theirs| <= relative |theirs| + absolute (1 + the largest of theirs)`.
pub struct Tolerance {
    relative: f64,
    absolute: f64,
}

impl Tolerance {
    /// The relative and the absolute tolerance, in double and in single precision.
    pub fn of<T: Real>(double: [f64; 2], single: [f64; 2]) -> Self {
        let [relative, absolute] = if T::BYTES == 8 { double } else { single };
        Tolerance { relative, absolute }
    }

    /// Whether the numbers are close.
    ///
    /// # Errors
    /// The message says which shape or element differs.
    pub fn compare<T: Real>(&self, ours: &Tensor<T>, theirs: &Array) -> Result<(), String> {
        if ours.shape()[..] != theirs.shape {
            return Err(format!("shape {}, PyTorch has {:?}", ours.shape(), theirs.shape));
        }
        let largest = theirs.values.iter().filter(|x| x.is_finite()).fold(0.0, |max: f64, x| max.max(x.abs()));
        let absolute = self.absolute * (1.0 + largest);
        for (i, (ours, &theirs)) in ours.to_vec().into_iter().zip(&theirs.values).enumerate() {
            let ours = ours.to_f64();
            // What overflows in this precision is infinite.
            let same = ours == T::from_f64(theirs).to_f64() || (ours.is_nan() && theirs.is_nan());
            // Written so that NaN is not close; to an infinity, everything would be.
            let close = theirs.is_finite() && (ours - theirs).abs() <= self.relative * theirs.abs() + absolute;
            if !same && !close {
                return Err(format!("element {i} is {ours:e}, PyTorch has {theirs:e}"));
            }
        }
        Ok(())
    }
}
