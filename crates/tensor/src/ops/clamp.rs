//! Every element, cut off at bounds: `y = min(max(x, min), max)`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = min` below `min`, `max` above `max`, else `x_i` (NaN stays NaN) |
//! | derivative | `x' = y'` where `min < x < max`, else 0 |
//! | shapes | any |
//! | saved | `x` |
//!
//! Either bound may be missing. Where `min` exceeds `max`, everything is `max`. Bounds that are tensors are what
//! [`maximum`](Tensor::maximum) and [`minimum`](Tensor::minimum) take.

use super::elementwise::map1;
use super::gate::{Gate, gate_info};
use crate::{OpInfo, Tensor};
use chainrule_kernels::{Real, binary, unary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "clamp",
    equation: "y = min(max(x, low), high)",
    derivative: "x' = y' where low < x < high, else 0",
    torch: "torch.clamp",
};

static GATE: OpInfo = gate_info!("clamp_backward", "x' = y' where low < x < high, else 0");

unary!(Cut { low: f64, high: f64 }(self, x: T) = {
    let (low, high) = (T::from_f64(self.low), T::from_f64(self.high));
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
});
binary!(Pass { low: f64, high: f64 }(self, grad: T, x) = {
    // What is infinite lies within a bound that is missing.
    let above = x > T::from_f64(self.low) || self.low == f64::NEG_INFINITY;
    let below = x < T::from_f64(self.high) || self.high == f64::INFINITY;
    if above && below { grad } else { T::ZERO }
});

impl<T: Real> Tensor<T> {
    /// `clamp` under any name.
    #[track_caller]
    pub(super) fn cut(&self, info: &'static OpInfo, low: f64, high: f64) -> Self {
        let value = map1(Cut { low, high }, self);
        Self::from_op(info, value, &[self], || Gate { info: &GATE, x: self.detach(), gate: Pass { low, high } })
    }

    /// Every element, or the bound that it exceeds. `None` is no bound.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let x = Tensor::from([-2.0f32, 0.5, 3.0]);
    /// assert_eq!(x.clamp(0.0, 1.0).to_vec(), [0.0, 0.5, 1.0]);
    /// assert_eq!(x.clamp(0.0, None).to_vec(), [0.0, 0.5, 3.0]);
    /// ```
    #[track_caller]
    pub fn clamp(&self, min: impl Into<Option<f64>>, max: impl Into<Option<f64>>) -> Self {
        let low = min.into().unwrap_or(f64::NEG_INFINITY);
        let high = max.into().unwrap_or(f64::INFINITY);
        self.cut(&INFO, low, high)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([-2.0f64, -1.0, 0.5, 7.0]).requires_grad();
        let y = x.clamp(-1.0, 1.0);
        assert_eq!(y.to_vec(), [-1.0, -1.0, 0.5, 1.0]);
        assert_eq!(y.sum().backward().get(&x).unwrap().to_vec(), [0.0, 0.0, 1.0, 0.0]);
        assert_eq!(x.clamp(None, 0.0).to_vec(), [-2.0, -1.0, 0.0, 0.0]);
        assert_eq!(x.clamp(2.0, 1.0).to_vec(), [1.0; 4]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.clamp(-0.501, 0.499), -1.0, 1.0);
        check::unary(|x| x.clamp(None, 0.123) * x, -1.0, 1.0);
    }
}
