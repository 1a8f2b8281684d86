//! ndarray at the boundary.

use crate::Tensor;
use chainrule_kernels::{Buffer, Real};
use ndarray::{Array, ArrayBase, ArrayD, ArrayViewD, Data, Dimension, IxDyn, ShapeBuilder};

impl<T: Real> Tensor<T> {
    /// The elements as an ndarray view, without a copy.
    #[inline(never)]
    pub fn view(&self) -> ArrayViewD<'_, T> {
        if self.numel() == 0 {
            // Strides mean nothing where there is no element.
            return ArrayViewD::from_shape(IxDyn(self.shape()), &[]).expect("no elements are needed");
        }
        ArrayViewD::from_shape(IxDyn(self.shape()).strides(IxDyn(self.strides())), self.as_view().data())
            .expect("a tensor's elements lie inside its memory")
    }

    /// A copy of the elements as an ndarray array.
    pub fn to_array(&self) -> ArrayD<T> {
        self.view().to_owned()
    }
}

impl<T: Real, S: Data<Elem = T>, D: Dimension> From<&ArrayBase<S, D>> for Tensor<T> {
    fn from(array: &ArrayBase<S, D>) -> Self {
        let buffer = match array.as_slice() {
            Some(slice) => Buffer::from_slice(slice),
            None => {
                let mut buffer = Buffer::unspecified(array.len());
                buffer.iter_mut().zip(array.iter()).for_each(|(x, &y)| *x = y);
                buffer
            }
        };
        Tensor::from_buffer(buffer, array.shape().into())
    }
}

impl<T: Real, D: Dimension> From<Array<T, D>> for Tensor<T> {
    fn from(array: Array<T, D>) -> Self {
        Self::from(&array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn arrays_travel_both_ways() {
        let a = array![[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]];
        let t = Tensor::from(&a);
        assert_eq!(t.view(), a.view().into_dyn());
        assert_eq!(t.t().to_array(), a.t().to_owned().into_dyn());
        assert_eq!(Tensor::from(&a.t()).to_vec(), [1., 4., 2., 5., 3., 6.]);
    }

    #[test]
    fn broadcast_scalar_and_empty_tensors_have_views() {
        let t = Tensor::from([1.0f32, 2.0]).broadcast_to([3, 2]);
        assert_eq!(t.view(), array![[1.0f32, 2.0], [1.0, 2.0], [1.0, 2.0]].into_dyn());
        assert_eq!(Tensor::scalar(7.0f64).view()[[]], 7.0);
        assert_eq!(Tensor::<f32>::zeros([2, 0, 3]).view().shape(), [2, 0, 3]);
    }
}
