//! [`Dropout`]: a random part of the signals is silenced while training.
//!
//! | | |
//! |---|---|
//! | equation | training: `y = 0` with probability `p`, else `x / (1 - p)`; evaluation: `y = x` |
//! | shapes | kept |
//! | parameters | none |
//!
//! Source: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014).

use crate::module::no_parameters;
use crate::{Layer, Mode};
use chainrule_tensor::{Real, Tensor};

/// Silences each signal with probability `p` while training, and scales the others up so that the mean stays.
///
/// ```
/// use chainrule_layers::{Dropout, Mode};
/// use chainrule_tensor::{Rng, Tensor};
///
/// let (layer, x) = (Dropout::new(0.5), Tensor::<f32>::ones(8));
/// assert_eq!(layer.forward(&x, &mut Mode::Eval).to_vec(), [1.0; 8]);
/// let y = layer.forward(&x, &mut Mode::Train(&mut Rng::seed_from_u64(1)));
/// assert!(y.to_vec().iter().all(|&y| y == 0.0 || y == 2.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    p: f64,
}

no_parameters!(Dropout);

impl Dropout {
    /// A layer that silences with probability `p`.
    ///
    /// # Panics
    /// If `p` is not in `[0, 1]`.
    #[track_caller]
    pub fn new(p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "Dropout: {p} is no probability in [0, 1]");
        Dropout { p }
    }

    /// The probability.
    pub fn p(&self) -> f64 {
        self.p
    }

    /// `x` with some elements silenced while training, `x` itself in evaluation.
    pub fn forward<T: Real>(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        match mode {
            Mode::Train(rng) => x.dropout(self.p, rng),
            Mode::Eval => x.clone(),
        }
    }
}

impl<T: Real> Layer<T> for Dropout {
    fn call(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x, mode)
    }
    fn describe(&self) -> String {
        format!("Dropout(p={})", self.p)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule_tensor::Rng;

    #[test]
    fn the_mode_decides() {
        let x = Tensor::<f64>::ones(10_000);
        let train = |p, seed| Dropout::new(p).forward(&x, &mut Mode::Train(&mut Rng::seed_from_u64(seed))).to_vec();
        let y = train(0.2, 1);
        let silent = y.iter().filter(|&&y| y == 0.0).count();
        assert!((1_900..2_100).contains(&silent), "{silent}");
        assert!(y.iter().all(|&y| y == 0.0 || (y - 1.25).abs() < 1e-12));
        assert_eq!(y, train(0.2, 1));
        assert_ne!(y, train(0.2, 2));
        assert_eq!(train(0.0, 1), x.to_vec());
        assert_eq!(train(1.0, 1), vec![0.0; 10_000]);
        assert_eq!(Dropout::new(0.2).forward(&x, &mut Mode::Eval).to_vec(), x.to_vec());
        assert_eq!(Layer::<f32>::describe(&Dropout::new(0.5)), "Dropout(p=0.5)");
    }

    #[test]
    #[should_panic(expected = "Dropout: 1.5 is no probability in [0, 1]")]
    fn p_is_a_probability() {
        Dropout::new(1.5);
    }
}
