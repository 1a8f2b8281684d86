//! Product over dimensions.
//!
//! | | |
//! |---|---|
//! | equation | `y[i] = product over j of x[i, j]`; of nothing it is 1 |
//! | derivative | `x'[i, j] = y'[i] product over k != j of x[i, k]`, which is `y'[i] y[i] / x[i, j]` where nothing is 0 |
//! | shapes | the dimensions disappear, or stay with size 1 (`keepdim`) |
//! | saved | `x` and `y` |
//!
//! Where an element is 0, the product of the others is that of those before it and that of those after it.

use super::sum::{kept, reduce_dims};
use crate::{Dims, Inputs, Op, OpInfo, SavedOutput, Tensor};
use chainrule_kernels::{Real, reduce};

pub(super) static INFO: OpInfo = OpInfo {
    name: "prod",
    equation: "y[i] = product over j of x[i, j]",
    derivative: "x'[i, j] = y'[i] times the product of the others",
    torch: "torch.prod",
};

#[derive(Debug)]
struct Prod<T: Real> {
    x: Tensor<T>,
    y: SavedOutput<T>,
    dims: Vec<usize>,
}

impl<T: Real> Op<T> for Prod<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let y = self.y.get(inputs);
        let Prod { x, dims, .. } = self;
        inputs.add(0, || {
            let shape = kept(x.shape(), dims);
            if dims.is_empty() {
                // There are no others; `y / x` would be NaN for an infinite element.
                grad.reshape(shape)
            } else if x.eq(Tensor::scalar(T::ZERO)).any() {
                grad.reshape(shape) * others(x, dims)
            } else {
                (grad * y).reshape(shape) / x
            }
        });
    }
}

/// For each element, the product of the others, over the given dimensions.
fn others<T: Real>(x: &Tensor<T>, dims: &[usize]) -> Tensor<T> {
    // Lines of the reduced dimensions, which come last.
    let order: Vec<usize> =
        (0..x.rank()).filter(|d| !dims.contains(d)).chain((0..x.rank()).filter(|d| dims.contains(d))).collect();
    let length: usize = dims.iter().map(|&d| x.shape()[d]).product();
    let moved = x.permute(&order);
    let lines = moved.reshape([x.numel() / length.max(1), length]);
    let product = before(&lines, false) * before(&lines, true);
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(i, &d)| back[d] = i);
    product.reshape(moved.shape()).permute(back)
}

/// For each element of a line, the product of those before it, or after it, by doubling: of one, two, four neighbors.
fn before<T: Real>(lines: &Tensor<T>, after: bool) -> Tensor<T> {
    let (rows, length) = (lines.shape()[0], lines.shape()[1]);
    let shifted = |x: &Tensor<T>, by: usize| {
        let ones = Tensor::ones([rows, by]);
        if after {
            Tensor::cat(&[&x.narrow(1, by, length - by), &ones], 1)
        } else {
            Tensor::cat(&[&ones, &x.narrow(1, 0, length - by)], 1)
        }
    };
    let mut product = shifted(lines, 1);
    let mut reach = 1;
    while reach < length {
        product = &product * shifted(&product, reach);
        reach *= 2;
    }
    product
}

impl<T: Real> Tensor<T> {
    /// The product of all elements, as a tensor without dimensions.
    #[track_caller]
    pub fn prod(&self) -> Self {
        let all: Vec<usize> = (0..self.rank()).collect();
        self.prod_dim(all, false)
    }

    /// The product over some dimensions. They disappear, or stay with size 1 if `keepdim` is true.
    ///
    /// # Panics
    /// If a dimension does not exist or is named twice.
    #[track_caller]
    pub fn prod_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Self {
        let dims = dims.into().resolve(INFO.name, self.rank());
        let value = reduce_dims(self, &dims, keepdim, reduce::product);
        let y = SavedOutput::new(&value);
        Self::from_op(&INFO, value, &[self], || Prod { x: self.clone(), y, dims: dims.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[2.0f32, 3.0, 4.0], [5.0, 0.0, 6.0], [0.0, 7.0, 0.0]]).requires_grad();
        let y = x.prod_dim(1, false);
        assert_eq!(y.to_vec(), [24.0, 0.0, 0.0]);
        let gradient = y.sum().backward().get(&x).unwrap().to_vec();
        assert_eq!(gradient, [12.0, 8.0, 6.0, 0.0, 30.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(Tensor::<f32>::zeros([2, 0]).prod_dim(1, false).to_vec(), [1.0, 1.0]);
        let x = Tensor::scalar(f32::INFINITY).requires_grad();
        assert_eq!(x.prod().backward().get(&x).unwrap().item(), 1.0);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.prod(), 0.5, 1.5);
        let x = check::random([2, 3, 4], -1.5, 1.5);
        check::gradients(|x| x[0].prod_dim([0, 2], true), &[&x]);
        check::gradients(|x| x[0].t().prod_dim(-1, false), &[&x]);
        for zeros in [1, 2, 3] {
            let zeroed = Tensor::from_fn([2, 4], |i| if i < zeros { 0.0 } else { i as f64 / 4.0 });
            check::gradients(|x| x[0].prod_dim(1, false), &[&zeroed]);
            check::gradients(|x| x[0].t().prod(), &[&zeroed]);
        }
    }

    #[test]
    #[should_panic(expected = "prod: dimension 2 is out of range for 2 dimensions")]
    fn dimensions_must_exist() {
        let _ = Tensor::<f32>::zeros([2, 3]).prod_dim(2, false);
    }
}
