//! Identity cut off at two bounds: `y = min(max(x, low), high)`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = low` below `low`, `high` above `high`, else `x_i` (NaN stays NaN) |
//! | derivative | `x' = y'` where `low < x < high`, else 0 |
//! | shapes | any |
//! | saved | `x` |
//!
//! It is [`clamp`](Tensor::clamp) with both bounds, as an activation.

use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "hardtanh",
    equation: "y = min(max(x, low), high)",
    derivative: "x' = y' where low < x < high, else 0",
    torch: "torch.nn.functional.hardtanh",
};

static RELU6: OpInfo = OpInfo {
    name: "relu6",
    equation: "y = min(max(x, 0), 6)",
    derivative: "x' = y' where 0 < x < 6, else 0",
    torch: "torch.nn.functional.relu6",
};

impl<T: Real> Tensor<T> {
    /// Every element, or the bound that it exceeds. PyTorch's default bounds are -1 and 1.
    ///
    /// # Panics
    /// If `low` is not less than `high`.
    #[track_caller]
    pub fn hardtanh(&self, low: f64, high: f64) -> Self {
        assert!(low < high, "hardtanh: the lower bound {low} must be less than the upper bound {high}");
        self.cut(&INFO, low, high)
    }

    /// `min(max(x, 0), 6)` of every element.
    #[track_caller]
    pub fn relu6(&self) -> Self {
        self.cut(&RELU6, 0.0, 6.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([-2.0f64, -1.0, 0.5, 7.0]).requires_grad();
        let y = x.hardtanh(-1.0, 1.0);
        assert_eq!(y.to_vec(), [-1.0, -1.0, 0.5, 1.0]);
        assert_eq!(y.sum().backward().get(&x).unwrap().to_vec(), [0.0, 0.0, 1.0, 0.0]);
        assert_eq!(x.relu6().to_vec(), [0.0, 0.0, 0.5, 6.0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.hardtanh(-0.501, 0.499), -1.0, 1.0);
        check::unary(|x| (x * 5.0 + 3.3).relu6() * x, -1.0, 1.0);
    }

    #[test]
    #[should_panic(expected = "hardtanh: the lower bound 1 must be less than the upper bound 1")]
    fn bounds_must_be_ordered() {
        let _ = Tensor::<f32>::zeros([2]).hardtanh(1.0, 1.0);
    }
}
