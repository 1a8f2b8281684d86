//! A choice between two tensors, element by element: `c = a` where a mask is true, `c = b` elsewhere.
//!
//! | | |
//! |---|---|
//! | equation | `c_i = a_i` if `m_i`, else `b_i` |
//! | derivative | `a' = c'` if `m`, else 0; `b' = 0` if `m`, else `c'` |
//! | shapes | `m`, `a`, `b` broadcast; `c` has the broadcast shape |
//! | saved | `m` |
//!
//! What is not chosen leaves no trace, be it NaN or infinite, in the value or in a gradient.

use super::elementwise::{broadcast_shape, broadcast_strides};
use crate::{Inputs, Mask, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, View, mask};

pub(super) static INFO: OpInfo = OpInfo {
    name: "where",
    equation: "c = a if m, else b",
    derivative: "a' = c' if m, else 0; b' = 0 if m, else c'",
    torch: "torch.where",
};

#[derive(Debug)]
struct Where {
    mask: Mask,
}

impl<T: Real> Op<T> for Where {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let zero = Tensor::scalar(T::ZERO);
        inputs.add(0, || Tensor::where_(&self.mask, &grad, &zero));
        inputs.add(1, || Tensor::where_(&self.mask, zero, &grad));
    }
}

impl<T: Real> Tensor<T> {
    /// The elements of `a` where the mask is true, those of `b` elsewhere. Either may be a number.
    ///
    /// (`where` is a word of the language.)
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn where_(mask: &Mask, a: impl Into<Self>, b: impl Into<Self>) -> Self {
        let (a, b) = (a.into(), b.into());
        let shape = broadcast_shape(INFO.name, &broadcast_shape(INFO.name, a.shape(), b.shape()), mask.shape());
        let value = Self::build(shape.clone(), |out| {
            let strides = [&a, &b].map(|x| broadcast_strides(x.shape(), x.strides(), &shape));
            mask::select(
                View::new(mask.bytes(), &shape, &mask.broadcast_strides(&shape)),
                View::new(a.as_view().data(), &shape, &strides[0]),
                View::new(b.as_view().data(), &shape, &strides[1]),
                out,
            );
        });
        Self::from_op(&INFO, value, &[&a, &b], || Where { mask: mask.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::check;
    use crate::{Mask, Tensor};

    #[test]
    fn worked_example() {
        let mask = Mask::from([[true], [false]]);
        let c = Tensor::where_(&mask, Tensor::from([1.0f32, 2.0]), f32::NAN);
        assert_eq!(c.to_vec()[..2], [1.0, 2.0]);
        assert!(c.to_vec()[2..].iter().all(|x| x.is_nan()));
    }

    #[test]
    fn gradcheck() {
        check::binary(|a, b| Tensor::where_(&a.gt(0.2), a, b), 0.3, 1.0);
        let mask = Mask::from([true, false]).reshape([2, 1, 1]);
        check::binary(|a, b| Tensor::where_(&mask, a, b), -1.0, 1.0);
        check::unary(|x| Tensor::where_(&x.gt(0.0), x * x, 0.0), 0.5, 1.0);
    }

    #[test]
    fn what_is_not_chosen_leaves_no_trace() {
        let x = Tensor::from([0.0f64, 4.0]).requires_grad();
        let root = Tensor::where_(&x.gt(0.0), x.sqrt(), 0.0);
        // The infinite slope of the root at 0 still meets the zero: it has to be kept out before the root.
        let safe = Tensor::where_(&x.gt(0.0), Tensor::where_(&x.gt(0.0), &x, 1.0).sqrt(), 0.0);
        assert_eq!(root.to_vec(), [0.0, 2.0]);
        assert_eq!(safe.sum().backward().get(&x).unwrap().to_vec(), [0.0, 0.25]);
    }

    #[test]
    #[should_panic(expected = "where: shapes [2, 3] and [2] do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::where_(&Mask::from([true, false]), Tensor::<f32>::zeros([2, 3]), 0.0);
    }
}
