//! Sum over dimensions.
//!
//! | | |
//! |---|---|
//! | equation | `y[i] = sum over j of x[i, j]` |
//! | derivative | `x'[i, j] = y'[i]` |
//! | shapes | the summed dimensions disappear, or stay with size 1 (`keepdim`) |
//! | saved | the input's shape and the summed dimensions |
//!
//! Long sums are blocked and paired, so that 10^7 numbers lose no accuracy in `f32`.

use crate::short::Short;
use crate::{Dims, Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::{Real, View, reduce};

pub(super) static INFO: OpInfo = OpInfo {
    name: "sum",
    equation: "y[i] = sum over j of x[i, j]",
    derivative: "x'[i, j] = y'[i]",
    torch: "torch.sum",
};

#[derive(Debug)]
struct Sum {
    from: Shape,
    dims: Vec<usize>,
}

impl<T: Real> Op<T> for Sum {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || grad.reshape(kept(&self.from, &self.dims)).broadcast_to(&self.from));
    }
}

/// The shape with the reduced dimensions at size 1.
pub(crate) fn kept(shape: &Shape, dims: &[usize]) -> Shape {
    shape.iter().enumerate().map(|(d, &n)| if dims.contains(&d) { 1 } else { n }).collect()
}

/// The shape without the reduced dimensions.
fn dropped(shape: &Shape, dims: &[usize]) -> Shape {
    shape.iter().enumerate().filter(|(d, _)| !dims.contains(d)).map(|(_, &n)| n).collect()
}

/// An untracked result of a reduction with `keepdim`, as it is without.
pub(crate) fn without<T: Real>(value: Tensor<T>, dims: &[usize]) -> Tensor<T> {
    let shape = dropped(value.shape(), dims);
    value.window(shape.clone(), shape.row_major(), value.offset())
}

/// Applies a kernel of `reduce` to the given dimensions, untracked.
pub(crate) fn reduce_dims<T: Real>(
    x: &Tensor<T>,
    dims: &[usize],
    keepdim: bool,
    kernel: impl Fn(View<'_, T>, usize, &mut [T]),
) -> Tensor<T> {
    let kept_dims = (0..x.rank()).filter(|d| !dims.contains(d));
    let order: Short<usize, 4> = kept_dims.chain((0..x.rank()).filter(|d| dims.contains(d))).collect();
    let shape: Shape = order.iter().map(|&d| x.shape()[d]).collect();
    let strides: Shape = order.iter().map(|&d| x.strides()[d]).collect();
    let result = if keepdim { kept(x.shape(), dims) } else { dropped(x.shape(), dims) };
    Tensor::build(result, |out| {
        kernel(View::new(x.as_view().data(), &shape, &strides), x.rank() - dims.len(), out);
    })
}

impl<T: Real> Tensor<T> {
    /// The sum of all elements, as a tensor without dimensions.
    #[track_caller]
    pub fn sum(&self) -> Self {
        let all: Vec<usize> = (0..self.rank()).collect();
        self.sum_dim(all, false)
    }

    /// The sum over some dimensions. They disappear, or stay with size 1 if `keepdim` is true.
    ///
    /// # Panics
    /// If a dimension does not exist or is named twice.
    #[track_caller]
    pub fn sum_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Self {
        let dims = dims.into().resolve(INFO.name, self.rank());
        let value = reduce_dims(self, &dims, keepdim, reduce::sum);
        Self::from_op(&INFO, value, &[self], || Sum { from: self.shape().clone(), dims: dims.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(6).reshape([2, 3]);
        assert_eq!(x.sum().item(), 15.0);
        assert_eq!(x.sum_dim(0, false).to_vec(), [3., 5., 7.]);
        assert_eq!(x.sum_dim(-1, true).shape(), &[2, 1]);
        assert_eq!(x.t().sum_dim([0, 1], true).shape(), &[1, 1]);
        assert_eq!(Tensor::<f32>::zeros([0, 2]).sum_dim(0, false).to_vec(), [0.0, 0.0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.sum(), -1.0, 1.0);
        let x = check::random([2, 3, 4], -1.0, 1.0);
        check::gradients(|x| x[0].sum_dim([0, 2], false).powf(2.0), &[&x]);
        check::gradients(|x| x[0].t().sum_dim(1, true).powf(2.0), &[&x]);
        check::gradients(|x| x[0].sum_dim([] as [i32; 0], true).powf(2.0), &[&x]);
    }

    #[test]
    #[should_panic(expected = "sum: dimension 2 is out of range for 2 dimensions")]
    fn dimensions_must_exist() {
        let _ = Tensor::<f32>::zeros([2, 3]).sum_dim(2, false);
    }
}
