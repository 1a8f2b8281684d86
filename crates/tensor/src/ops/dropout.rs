//! Dropout: elements set to 0 at random, the others scaled up.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_i m_i`, `m_i = 0` with probability `p`, else `1 / (1 - p)` |
//! | derivative | `x' = y' m` |
//! | shapes | any |
//! | saved | `m` |
//! | source | N. Srivastava et al., "Dropout", JMLR 15 (2014) |
//!
//! The mask comes from a counter-based generator that is seeded by one draw from the caller's, so that it does not depend
//! on the number of threads.

use crate::{Inputs, Op, OpInfo, Rng, Tensor};
use chainrule_kernels::{Real, random};
use rand::Rng as _;

pub(super) static INFO: OpInfo = OpInfo {
    name: "dropout",
    equation: "y = x m, m = 0 or 1 / (1 - p) at random",
    derivative: "x' = y' m",
    torch: "torch.nn.functional.dropout",
};

#[derive(Debug)]
struct Dropout<T: Real> {
    mask: Tensor<T>,
}

impl<T: Real> Op<T> for Dropout<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || grad * &self.mask);
    }
}

impl<T: Real> Tensor<T> {
    /// Sets each element to 0 with probability `p` and scales the others by `1 / (1 - p)`, so that the mean stays.
    ///
    /// # Panics
    /// If `p` is not in `[0, 1]`.
    #[track_caller]
    pub fn dropout(&self, p: f64, rng: &mut Rng) -> Self {
        assert!((0.0..=1.0).contains(&p), "dropout: the probability {p} is not between 0 and 1");
        let seed = rng.next_u64();
        let mask = Self::build(self.shape().clone(), |out| random::dropout_mask(seed, p, out));
        let value = crate::no_grad(|| self * &mask);
        Self::from_op(&INFO, value, &[self], || Dropout { mask })
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::check;
    use crate::{Rng, Tensor};

    #[test]
    fn worked_example() {
        let mut rng = Rng::seed_from_u64(1);
        let y = Tensor::<f32>::ones([10_000]).dropout(0.25, &mut rng).to_vec();
        let dropped = y.iter().filter(|&&x| x == 0.0).count();
        assert!((2_300..2_700).contains(&dropped), "{dropped}");
        assert!(y.iter().all(|&x| x == 0.0 || x == 1.0 / 0.75));
        let x = Tensor::from([1.0f32, 2.0]);
        assert_eq!(x.dropout(0.0, &mut rng).to_vec(), [1.0, 2.0]);
        assert_eq!(x.dropout(1.0, &mut rng).to_vec(), [0.0, 0.0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.dropout(0.5, &mut Rng::seed_from_u64(3)), -1.0, 1.0);
    }

    #[test]
    #[should_panic(expected = "dropout: the probability 1.5 is not between 0 and 1")]
    fn probabilities_only() {
        let _ = Tensor::<f32>::ones([2]).dropout(1.5, &mut Rng::seed_from_u64(1));
    }
}
