//! Positions: what tells attention the order of its tokens.
//!
//! | | | |
//! |---|---|---|
//! | [`SinusoidalPositions`] | `x[l, 2i] + sin(l / 10000^(2i/E))`, `x[l, 2i+1] + cos(l / 10000^(2i/E))` | A. Vaswani et al., arXiv:1706.03762 (2017) |
//! | [`LearnedPositions`] | `x[l] + weight[l]` | J. Gehring et al., arXiv:1705.03122 (2017) |
//! | [`Rotary`] | queries and keys are turned by angles that grow with `l`: their products depend on distances alone | J. Su et al., "RoFormer", arXiv:2104.09864 (2021) |
//!
//! All take the position of the first token, so that a sequence can go on where it was left.

use crate::{Module, Param, init};
use chainrule_tensor::{Real, Rng, Tensor};

/// Fixed waves of many lengths, added to the features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SinusoidalPositions;

crate::module::no_parameters!(SinusoidalPositions);

impl SinusoidalPositions {
    /// The waves at positions `start..start + length`: `[length, features]`.
    pub fn table<T: Real>(start: usize, length: usize, features: usize) -> Tensor<T> {
        Tensor::from_fn([length, features], |i| {
            let (position, feature) = (start + i / features, i % features);
            let angle = position as f64 / 10_000f64.powf((feature / 2 * 2) as f64 / features as f64);
            T::from_f64(if feature % 2 == 0 { angle.sin() } else { angle.cos() })
        })
    }

    /// `x [.., L, E]` with the waves from position `start` on added.
    ///
    /// # Panics
    /// If `x` has fewer than two dimensions.
    #[track_caller]
    pub fn forward<T: Real>(&self, x: &Tensor<T>, start: usize) -> Tensor<T> {
        x + Self::table(start, x.size(-2), x.size(-1))
    }
}

/// A learned vector for each position, added to the features.
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct LearnedPositions<T: Real = f32> {
    /// `[positions, features]`.
    pub weight: Param<T>,
}

impl<T: Real> LearnedPositions<T> {
    /// Vectors of normal numbers with deviation 0.02.
    pub fn new(positions: usize, features: usize, rng: &mut Rng) -> Self {
        LearnedPositions { weight: Param::new(init::normal([positions, features], 0.02, rng)) }
    }

    /// `x [.., L, E]` with the vectors from position `start` on added.
    ///
    /// # Panics
    /// If there are not so many positions.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>, start: usize) -> Tensor<T> {
        let (length, known) = (x.size(-2), self.weight.shape()[0]);
        assert!(
            start + length <= known,
            "LearnedPositions: {length} tokens from position {start} on, but only {known} positions are known"
        );
        if length == known { x + &*self.weight } else { x + self.weight.narrow(0, start, length) }
    }
}

/// Turns pairs of features, `i` and `i + D / 2`, by angles that grow with the position.
///
/// ```text
/// angle(l, i) = l / base^(2 i / D)
/// y[l, i]         = x[l, i] cos - x[l, i + D/2] sin
/// y[l, i + D/2]   = x[l, i + D/2] cos + x[l, i] sin
/// ```
///
/// The pairs are those of Llama and GPT-NeoX.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rotary {
    /// How fast angles grow less from pair to pair. 10000 in the paper.
    pub base: f64,
}

impl Default for Rotary {
    fn default() -> Self {
        Rotary { base: 10_000.0 }
    }
}

impl Rotary {
    /// Queries or keys `[.., L, D]`, turned by the angles of positions from `start` on.
    ///
    /// # Panics
    /// If the number of features is odd, or there are fewer than two dimensions.
    #[track_caller]
    pub fn rotate<T: Real>(&self, x: &Tensor<T>, start: usize) -> Tensor<T> {
        let (length, features) = (x.size(-2), x.size(-1));
        assert!(features.is_multiple_of(2), "Rotary: {features} features of {} are no pairs", x.shape());
        let half = features / 2;
        let wave = |f: fn(f64) -> f64| {
            Tensor::from_fn([length, half], |i| {
                let (position, pair) = (start + i / half, i % half);
                T::from_f64(f(position as f64 / self.base.powf((2 * pair) as f64 / features as f64)))
            })
        };
        let (cos, sin) = (wave(f64::cos), wave(f64::sin));
        let (a, b) = (x.narrow(-1, 0, half), x.narrow(-1, half, half));
        Tensor::cat(&[&(&a * &cos - &b * &sin), &(b * cos + a * sin)], -1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn waves_start_at_zero_and_go_on() {
        let x = Tensor::<f64>::zeros([3, 4]);
        let y = SinusoidalPositions.forward(&x, 0).to_vec();
        let expected = [0.0, 1.0, 0.0, 1.0, 1f64.sin(), 1f64.cos(), 0.01f64.sin(), 0.01f64.cos()];
        assert_relative_eq!(y[..8], expected[..], epsilon = 1e-15);
        assert_eq!(SinusoidalPositions.forward(&Tensor::<f64>::zeros([1, 4]), 2).to_vec(), y[8..]);
    }

    #[test]
    fn learned_positions_are_added() {
        let layer: LearnedPositions = LearnedPositions::new(5, 2, &mut Rng::seed_from_u64(1));
        let table = layer.weight.to_vec();
        assert_eq!(layer.forward(&Tensor::zeros([1, 2, 2]), 3).to_vec(), table[6..]);
        assert_eq!(layer.forward(&Tensor::zeros([5, 2]), 0).to_vec(), table);
    }

    #[test]
    #[should_panic(expected = "LearnedPositions: 3 tokens from position 3 on, but only 5 positions are known")]
    fn positions_end() {
        LearnedPositions::<f32>::new(5, 2, &mut Rng::seed_from_u64(1)).forward(&Tensor::zeros([3, 2]), 3);
    }

    #[test]
    fn products_depend_on_distances_alone() {
        let mut rng = Rng::seed_from_u64(3);
        let (q, k) = (Tensor::<f64>::randn([1, 6], &mut rng), Tensor::randn([1, 6], &mut rng));
        let rotary = Rotary { base: 100.0 };
        let product = |i: usize, j: usize| (rotary.rotate(&q, i) * rotary.rotate(&k, j)).sum().item();
        assert_relative_eq!(product(7, 3), product(4, 0), epsilon = 1e-12);
        assert_relative_eq!(product(5, 5), (&q * &k).sum().item(), epsilon = 1e-12);
        assert!((product(7, 3) - product(7, 4)).abs() > 1e-3);
        let both = Tensor::cat(&[&q, &q], 0);
        assert_eq!(rotary.rotate(&both, 2).select(0, 1).to_vec(), rotary.rotate(&q, 3).to_vec());
    }

    #[test]
    #[should_panic(expected = "Rotary: 3 features of [2, 3] are no pairs")]
    fn features_come_in_pairs() {
        Rotary::default().rotate(&Tensor::<f32>::zeros([2, 3]), 0);
    }
}
