//! Elements shifted along dimensions; what falls off at one end comes back at the other.
//!
//! | | |
//! |---|---|
//! | equation | `y[.., (i + shift) mod n, ..] = x[.., i, ..]` |
//! | derivative | `x' = roll(y', -shift)` |
//! | shapes | any |
//! | saved | the shifts and dimensions |

use super::take::Positions;
use crate::{Dims, Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "roll",
    equation: "y[.., (i + shift) mod n, ..] = x[.., i, ..]",
    derivative: "x' = y' rolled back",
    torch: "torch.roll",
};

#[derive(Debug)]
struct Roll {
    shifts: Vec<isize>,
    dims: Vec<usize>,
}

impl<T: Real> Op<T> for Roll {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let back: Vec<isize> = self.shifts.iter().map(|shift| -shift).collect();
        inputs.add(0, || grad.roll(back, &self.dims));
    }
}

impl<T: Real> Tensor<T> {
    /// The elements shifted by `shifts[k]` places along dimension `dims[k]`, around the end.
    ///
    /// Without a dimension, the one shift is through all elements in row-major order.
    ///
    /// # Panics
    /// If there are not as many shifts as dimensions, or a dimension does not exist or is named twice.
    #[track_caller]
    pub fn roll(&self, shifts: impl AsRef<[isize]>, dims: impl Into<Dims>) -> Self {
        let shifts = shifts.as_ref();
        let dims = dims.into().resolve(INFO.name, self.rank()).to_vec();
        if dims.is_empty() && shifts.len() == 1 {
            return self.reshape([-1]).roll(shifts, 0).reshape(self.shape());
        }
        assert!(
            shifts.len() == dims.len() && !dims.is_empty(),
            "roll: {} shifts for {} dimensions; each dimension needs one",
            shifts.len(),
            dims.len()
        );
        let size = |dim: usize| self.shape()[dim] as isize;
        // Shifts within the dimension, whose opposites do not overflow.
        let shifts: Vec<isize> = dims.iter().zip(shifts).map(|(&d, shift)| shift.rem_euclid(size(d).max(1))).collect();
        let mut positions = Positions::all(self.shape());
        for (&dim, &shift) in dims.iter().zip(&shifts) {
            let (n, first) = (self.shape()[dim], (size(dim) - shift) as usize);
            positions = positions.along(dim, (first..n).chain(0..first.min(n)));
        }
        Self::from_op(&INFO, positions.read(self), &[self], || Roll { shifts, dims })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    const NONE: [usize; 0] = [];

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(6).reshape([2, 3]);
        assert_eq!(x.roll([1], 1).to_vec(), [2., 0., 1., 5., 3., 4.]);
        assert_eq!(x.roll([-1, 4], [0, 1]).to_vec(), [5., 3., 4., 2., 0., 1.]);
        assert_eq!(x.roll([-2], NONE).to_vec(), [2., 3., 4., 5., 0., 1.]);
        assert_eq!(Tensor::<f32>::zeros([2, 0]).roll([3], 1).shape(), &[2, 0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.roll([2], NONE).powf(2.0), -1.0, 1.0);
        check::unary(|x| if x.rank() > 0 { x.roll([-1], -1).powf(2.0) } else { x.clone() }, -1.0, 1.0);
        check::gradients(|x| x[0].roll([7, -1], [0, 2]).powf(2.0), &[&check::random([3, 2, 2], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "roll: 2 shifts for 1 dimensions")]
    fn each_dimension_has_a_shift() {
        let _ = Tensor::<f32>::zeros([2, 3]).roll([1, 2], 0);
    }
}
