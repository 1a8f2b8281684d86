//! Power, element by element: `c = a^b`.
//!
//! | | |
//! |---|---|
//! | equation | `c_i = a_i^b_i`; NaN where `a_i < 0` and `b_i` is no integer |
//! | derivative | `a' = c' b a^(b-1)`, 0 where `b` is 0; `b' = c' c ln a`, 0 where `a` is 0 and `b` is not negative |
//! | shapes | `a`, `b` broadcast; `c` has the broadcast shape |
//! | saved | `a` and `b`; `c` if `b` is tracked |

use super::elementwise::map2;
use crate::{Inputs, Op, OpInfo, SavedOutput, Tensor};
use chainrule_kernels::{Real, binary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "pow", equation: "c = a^b", derivative: "a' = c' b a^(b-1), b' = c' c ln a", torch: "torch.pow" };

#[derive(Debug)]
struct Pow<T: Real> {
    a: Tensor<T>,
    b: Tensor<T>,
    c: Option<SavedOutput<T>>,
}

impl<T: Real> Op<T> for Pow<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let Pow { a, b, c } = self;
        let zero = || Tensor::scalar(T::ZERO);
        inputs.add(0, || Tensor::where_(&b.eq(zero()), zero(), &grad * (b * a.pow(&(b - T::ONE)))));
        if let Some(c) = c {
            let c = c.get(inputs);
            inputs.add(1, || grad * Tensor::where_(&(&a.eq(zero()) & &b.ge(zero())), zero(), c * a.log()));
        }
    }
}

binary!(Formula(self, a: T, b) = a.powf(b));

impl<T: Real> Tensor<T> {
    /// Every element raised to the power of another tensor's. Constant exponents are what [`powf`](Tensor::powf) is for.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn pow(&self, exponent: &Self) -> Self {
        let value = map2(INFO.name, Formula {}, self, exponent);
        let c = exponent.is_tracked().then(|| SavedOutput::new(&value));
        Self::from_op(&INFO, value, &[self, exponent], || Pow { a: self.clone(), b: exponent.clone(), c })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (a, b) = (Tensor::from([2.0f64, 9.0, -2.0, 0.0]), Tensor::from([3.0, 0.5, 2.0, 0.0]));
        assert_eq!(a.pow(&b).to_vec(), [8.0, 3.0, 4.0, 1.0]);
    }

    #[test]
    fn gradcheck() {
        check::binary(|a, b| a.pow(b), 0.5, 1.5);
        check::unary(|x| x.pow(&Tensor::scalar(2.0)), -1.0, 1.0);
    }

    #[test]
    #[should_panic(expected = "pow: shapes [3] and [2] do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([3]).pow(&Tensor::zeros([2]));
    }
}
