//! Planes brought to another size, by the nearest element or by linear interpolation along rows and columns.
//!
//! ```text
//! nearest: y[i,j] = x[near(i), near(j)]
//! linear:  y[i,j] = sum over a in {0, 1} and b in {0, 1} of v_a(i) v_b(j) x[place_a(i), place_b(j)]
//! ```
//!
//! Which elements an output is made of depends on its row and its column alone: an [`Axis`] lists them. Both maps are linear,
//! and [`backward`] is their transpose. The rules of rounding are PyTorch's.

use crate::simd::{self, Kernel};
use crate::{Buffer, Real, parallel};

/// Elements of a piece of parallel work.
const PIECE: usize = 1 << 15;

/// What an output along one dimension is made of: `(1 - weight) x[first] + weight x[second]`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tap {
    first: usize,
    second: usize,
    weight: f64,
}

/// The rule along one dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    input: usize,
    taps: Vec<Tap>,
    linear: bool,
}

impl Axis {
    /// Output `i` is element `i / factor`, rounded down. The factor is `output / input` unless it is given.
    ///
    /// # Panics
    /// If a size is 0.
    pub fn nearest(input: usize, output: usize, factor: Option<f64>) -> Self {
        assert!(input > 0 && output > 0, "resampling {input} elements to {output}");
        let step = factor.map_or(input as f64 / output as f64, |factor| 1.0 / factor);
        // In single precision, where products that miss a whole number by a rounding error meet it again.
        let near = |i: usize| ((i as f64 * step) as f32).floor() as usize;
        let tap = |place: usize| Tap { first: place, second: place, weight: 0.0 };
        let taps = (0..output).map(|i| tap(near(i).min(input - 1))).collect();
        Axis { input, taps, linear: false }
    }

    /// Output `i` lies between the two elements around its place.
    ///
    /// With `align_corners` the outer elements' *centers* map to each other, so that the place is `i (input - 1) / (output -
    /// 1)`. Without it their outer *edges* do: the place is `(i + 1/2) / factor - 1/2`, at least 0. The factor is `output /
    /// input` unless it is given.
    ///
    /// # Panics
    /// If a size is 0.
    pub fn linear(input: usize, output: usize, factor: Option<f64>, align_corners: bool) -> Self {
        assert!(input > 0 && output > 0, "resampling {input} elements to {output}");
        let step = if align_corners {
            if output > 1 { (input - 1) as f64 / (output - 1) as f64 } else { 0.0 }
        } else {
            factor.map_or(input as f64 / output as f64, |factor| 1.0 / factor)
        };
        let tap = |i: usize| {
            if input == output {
                return Tap { first: i, second: i, weight: 0.0 };
            }
            let place = if align_corners { i as f64 * step } else { ((i as f64 + 0.5) * step - 0.5).max(0.0) };
            let first = (place as usize).min(input - 1);
            Tap { first, second: (first + 1).min(input - 1), weight: (place - first as f64).clamp(0.0, 1.0) }
        };
        Axis { input, taps: (0..output).map(tap).collect(), linear: true }
    }

    /// The identity, for planes of one row.
    pub fn same(size: usize) -> Self {
        let tap = |i| Tap { first: i, second: i, weight: 0.0 };
        Axis { input: size, taps: (0..size).map(tap).collect(), linear: false }
    }

    /// How many elements it makes.
    pub fn output(&self) -> usize {
        self.taps.len()
    }
}

concrete! {
    <T> trait ResampleKernels;
    /// The planes `y` from the planes `x`, by the rules for `[rows, columns]`.
    ///
    /// # Panics
    /// If the lengths are not those of as many whole planes.
    pub fn forward(axes: &[Axis; 2], x: &[T], y: &mut [T]) = forward_impl;
    /// The gradient `dx` with respect to the input, from `g`, the gradient of the output. Overwrites `dx`.
    ///
    /// # Panics
    /// If the lengths are not those of as many whole planes.
    pub fn backward(axes: &[Axis; 2], g: &[T], dx: &mut [T]) = backward_impl;
}

/// The sizes of both planes, and how many planes a piece of parallel work has.
fn sizes(axes: &[Axis; 2], x: usize, y: usize) -> [usize; 3] {
    let (size, out) = (axes[0].input * axes[1].input, axes[0].output() * axes[1].output());
    assert!(
        x.is_multiple_of(size) && y.is_multiple_of(out) && x / size == y / out,
        "resampling: {x} and {y} numbers are not as many planes of {size} and {out}"
    );
    [size, out, (PIECE / (size + out)).max(1)]
}

fn forward_impl<T: Real>(axes: &[Axis; 2], x: &[T], y: &mut [T]) {
    let [size, out, together] = sizes(axes, x.len(), y.len());
    parallel::for_each_chunk(y, together * out, |piece, y| {
        simd::dispatch(Forward(axes, &x[piece * together * size..][..y.len() / out * size], y));
    });
}

fn backward_impl<T: Real>(axes: &[Axis; 2], g: &[T], dx: &mut [T]) {
    let [size, out, together] = sizes(axes, dx.len(), g.len());
    parallel::for_each_chunk(dx, together * size, |piece, dx| {
        simd::dispatch(Backward(axes, &g[piece * together * out..][..dx.len() / size * out], dx));
    });
}

/// Some planes, forward: along the columns first, into a row as wide as the input, then along that row.
struct Forward<'a, T>(&'a [Axis; 2], &'a [T], &'a mut [T]);
impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Forward([rows, columns], x, y) = self;
        let (width, out) = (columns.input, columns.output());
        let mut between = Buffer::unspecified(width);
        for (x, y) in x.chunks_exact(rows.input * width).zip(y.chunks_exact_mut(rows.output() * out)) {
            for (tap, y) in rows.taps.iter().zip(y.chunks_exact_mut(out)) {
                let first = &x[tap.first * width..][..width];
                if rows.linear {
                    let second = &x[tap.second * width..][..width];
                    let (u, v) = (T::from_f64(1.0 - tap.weight), T::from_f64(tap.weight));
                    for (between, (&a, &b)) in between.iter_mut().zip(first.iter().zip(second)) {
                        *between = u * a + v * b;
                    }
                } else {
                    between.copy_from_slice(first);
                }
                if columns.linear {
                    for (y, tap) in y.iter_mut().zip(&columns.taps) {
                        let (u, v) = (T::from_f64(1.0 - tap.weight), T::from_f64(tap.weight));
                        *y = u * between[tap.first] + v * between[tap.second];
                    }
                } else {
                    y.iter_mut().zip(&columns.taps).for_each(|(y, tap)| *y = between[tap.first]);
                }
            }
        }
    }
}

/// The transpose of [`Forward`], in the opposite order.
struct Backward<'a, T>(&'a [Axis; 2], &'a [T], &'a mut [T]);
impl<T: Real> Kernel for Backward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Backward([rows, columns], g, dx) = self;
        let (width, out) = (columns.input, columns.output());
        let mut between = Buffer::unspecified(width);
        for (g, dx) in g.chunks_exact(rows.output() * out).zip(dx.chunks_exact_mut(rows.input * width)) {
            dx.fill(T::ZERO);
            for (tap, g) in rows.taps.iter().zip(g.chunks_exact(out)) {
                between.fill(T::ZERO);
                if columns.linear {
                    for (&g, tap) in g.iter().zip(&columns.taps) {
                        between[tap.first] += T::from_f64(1.0 - tap.weight) * g;
                        between[tap.second] += T::from_f64(tap.weight) * g;
                    }
                } else {
                    g.iter().zip(&columns.taps).for_each(|(&g, tap)| between[tap.first] += g);
                }
                let ends = [(tap.first, 1.0 - tap.weight), (tap.second, tap.weight)];
                for &(row, weight) in &ends[..if rows.linear { 2 } else { 1 }] {
                    let weight = T::from_f64(weight);
                    let dx = &mut dx[row * width..][..width];
                    dx.iter_mut().zip(&*between).for_each(|(dx, &b)| *dx += weight * b);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    #[test]
    fn places_follow_pytorch() {
        let near = |axis: Axis| axis.taps.iter().map(|tap| tap.first).collect::<Vec<_>>();
        assert_eq!(near(Axis::nearest(5, 5, Some(1.1))), [0, 0, 1, 2, 3]);
        assert_eq!(near(Axis::nearest(5, 10, Some(2.1))), [0, 0, 0, 1, 1, 2, 2, 3, 3, 4]);
        assert_eq!(near(Axis::nearest(7, 49, None)), (0..49).map(|i| i / 7).collect::<Vec<_>>());
        let place = |tap: &Tap| (1.0 - tap.weight) * tap.first as f64 + tap.weight * tap.second as f64;
        let weights = |axis: Axis| axis.taps.iter().map(place).collect::<Vec<_>>();
        assert_eq!(weights(Axis::linear(2, 4, None, false)), [0.0, 0.25, 0.75, 1.0]);
        assert_eq!(weights(Axis::linear(3, 5, None, true)), [0.0, 0.5, 1.0, 1.5, 2.0]);
        assert_eq!(weights(Axis::linear(3, 1, None, true)), [0.0]);
        assert_eq!(weights(Axis::linear(4, 2, None, false)), [0.5, 2.5]);
    }

    /// Against the definition over random sizes; the transpose against `y' . (A x) = (A^T y') . x`.
    #[test]
    fn agrees_with_the_definition_and_its_transpose() {
        let mut rng = SmallRng::seed_from_u64(8);
        for case in 0..200 {
            let mut axis = || {
                let (input, output) = (rng.random_range(1..9), rng.random_range(1..14));
                match case % 4 {
                    0 => Axis::nearest(input, output, None),
                    1 => Axis::linear(input, output, None, false),
                    2 => Axis::linear(input, output, None, true),
                    _ => Axis::same(input),
                }
            };
            let axes = [axis(), axis()];
            let planes = rng.random_range(0..4);
            let (size, out) = (axes[0].input * axes[1].input, axes[0].output() * axes[1].output());
            let x: Vec<f64> = (0..planes * size).map(|_| rng.random_range(-1.0..1.0)).collect();
            let g: Vec<f64> = (0..planes * out).map(|_| rng.random_range(-1.0..1.0)).collect();
            let (mut y, mut dx) = (vec![f64::NAN; g.len()], vec![f64::NAN; x.len()]);
            forward(&axes, &x, &mut y);
            backward(&axes, &g, &mut dx);
            let ends = |tap: Tap| [(tap.first, 1.0 - tap.weight), (tap.second, tap.weight)];
            for (at, &y) in y.iter().enumerate() {
                let (plane, i, j) = (at / out, at % out / axes[1].output(), at % axes[1].output());
                let mut want = 0.0;
                for (row, u) in ends(axes[0].taps[i]) {
                    for (column, v) in ends(axes[1].taps[j]) {
                        want += u * v * x[plane * size + row * axes[1].input + column];
                    }
                }
                assert!((y - want).abs() < 1e-14, "{axes:?}");
            }
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            assert!((dot(&g, &y) - dot(&dx, &x)).abs() < 1e-12, "{axes:?}");
        }
    }
}
