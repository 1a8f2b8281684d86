//! A line search for the strong Wolfe conditions: along a direction, a point that is low enough and flat enough.
//!
//! With `f(t)` the loss at `x + t d` and `f'(t)` its slope, it looks for a `t` with
//!
//! ```text
//! f(t)    <= f(0) + c1 t f'(0)       c1 = 1e-4
//! |f'(t)| <= c2 |f'(0)|              c2 = 0.9
//! ```
//!
//! First it goes on, ever further, until such a point must lie behind (the loss has risen, or the slope turned); then it cuts the
//! bracket, at the minimum of the cubic through both ends. The choices are those of PyTorch's `_strong_wolfe`.
//!
//! Source: J. Nocedal, S. Wright, "Numerical optimization" (2006), algorithms 3.5 and 3.6, equation 3.59.

use chainrule_kernels::Buffer;
use chainrule_tensor::Real;

const C1: f64 = 1e-4;
const C2: f64 = 0.9;
/// A bracket is small enough where no parameter differs by more between its ends.
const SMALLEST: f64 = 1e-9;

/// A point on the line.
#[derive(Clone)]
pub(crate) struct Point<T: Real> {
    pub(crate) t: f64,
    pub(crate) loss: f64,
    /// The derivative of the loss along the direction.
    pub(crate) slope: f64,
    /// The gradient in all dimensions, which the search only carries.
    pub(crate) gradient: Buffer<T>,
}

/// Searches from `start` (`t = 0`), with `t` as the first guess and at most `max` evaluations after the first. `largest` is the
/// largest element of the direction.
pub(crate) fn strong_wolfe<T: Real>(
    along: &mut dyn FnMut(f64) -> Point<T>,
    start: Point<T>,
    t: f64,
    largest: f64,
    max: u64,
) -> Point<T> {
    let (loss, slope) = (start.loss, start.slope);
    let too_high = |point: &Point<T>| point.loss > loss + C1 * point.t * slope;
    let flat = |point: &Point<T>| point.slope.abs() <= -C2 * slope;
    let mut evaluations = 0;
    let (mut previous, mut point) = (start.clone(), along(t));
    let mut ends = loop {
        if evaluations == max {
            break [start, point];
        }
        if too_high(&point) || (evaluations > 1 && point.loss >= previous.loss) {
            break [previous, point];
        }
        if flat(&point) {
            return point;
        }
        if point.slope >= 0.0 {
            break [previous, point];
        }
        let bounds = (point.t + 0.01 * (point.t - previous.t), point.t * 10.0);
        let t = cubic_minimum(&previous, &point, bounds);
        previous = std::mem::replace(&mut point, along(t));
        evaluations += 1;
    };
    let mut low = lower(&ends);
    let mut stalled = false;
    while evaluations < max && (ends[1].t - ends[0].t).abs() * largest >= SMALLEST {
        let (left, right) = (ends[0].t.min(ends[1].t), ends[0].t.max(ends[1].t));
        let mut t = cubic_minimum(&ends[0], &ends[1], (left, right));
        // Twice too near an end: go a tenth of the bracket away from it.
        let margin = 0.1 * (right - left);
        let near = (right - t).min(t - left) < margin;
        if near && (stalled || t >= right || t <= left) {
            t = if (t - right).abs() < (t - left).abs() { right - margin } else { left + margin };
            stalled = false;
        } else {
            stalled = near;
        }
        let point = along(t);
        evaluations += 1;
        let high = 1 - low;
        if too_high(&point) || point.loss >= ends[low].loss {
            ends[high] = point;
            low = lower(&ends);
        } else if flat(&point) {
            return point;
        } else {
            if point.slope * (ends[high].t - ends[low].t) >= 0.0 {
                // The end that was high is cut off; the one that was low takes its place.
                ends.swap(low, high);
            }
            ends[low] = point;
        }
    }
    let [first, second] = ends;
    if low == 0 { first } else { second }
}

/// Which end of a bracket is lower; of two as low, the first.
fn lower<T: Real>(ends: &[Point<T>; 2]) -> usize {
    usize::from(ends[0].loss > ends[1].loss || ends[0].loss.is_nan())
}

/// Where the cubic with these values and slopes at two points has its minimum; the middle of the bounds if it has none.
fn cubic_minimum<T: Real>(a: &Point<T>, b: &Point<T>, (least, most): (f64, f64)) -> f64 {
    let d1 = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.t - b.t);
    let square = d1 * d1 - a.slope * b.slope;
    if square.is_nan() || square < 0.0 {
        return (least + most) / 2.0;
    }
    let d2 = square.sqrt();
    let t = if a.t <= b.t {
        b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2))
    } else {
        a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2.0 * d2))
    };
    t.max(least).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches for the minimum of a function of one number, given with its derivative, from 0 on.
    fn search(f: fn(f64) -> (f64, f64), t: f64, max: u64) -> (Point<f64>, usize) {
        let mut evaluations = 0;
        let mut along = |t: f64| {
            evaluations += 1;
            let (loss, slope) = f(t);
            Point { t, loss, slope, gradient: Buffer::from_slice(&[slope]) }
        };
        let start = along(0.0);
        let found = strong_wolfe(&mut along, start, t, 1.0, max);
        (found, evaluations - 1)
    }

    #[test]
    fn cubics_are_met_exactly() {
        // f = t^3 - 3 t has its minimum at 1.
        let f = |t: f64| Point {
            t,
            loss: t.powi(3) - 3.0 * t,
            slope: 3.0 * t * t - 3.0,
            gradient: Buffer::<f64>::zeroed(0),
        };
        for (a, b) in [(0.0, 3.0), (3.0, 0.0), (0.5, 0.75)] {
            assert!((cubic_minimum(&f(a), &f(b), (0.0, 10.0)) - 1.0).abs() < 1e-14);
        }
        assert_eq!(cubic_minimum(&f(0.0), &f(3.0), (1.5, 2.0)), 1.5);
    }

    #[test]
    fn the_conditions_hold() {
        let functions: [fn(f64) -> (f64, f64); 3] = [
            |t| ((t - 2.0).powi(2), 2.0 * (t - 2.0)),
            |t| (-t / (t * t + 2.0), (t * t - 2.0) / (t * t + 2.0).powi(2)),
            |t| ((t - 0.01).powi(4) - 0.1 * t, 4.0 * (t - 0.01).powi(3) - 0.1),
        ];
        for f in functions {
            for first in [1e-3, 0.1, 1.0, 10.0, 100.0] {
                let (found, _) = search(f, first, 25);
                let (loss, slope) = f(0.0);
                assert!(found.loss <= loss + C1 * found.t * slope, "from {first} to {}", found.t);
                assert!(found.slope.abs() <= C2 * slope.abs(), "from {first} to {}", found.t);
            }
        }
    }

    #[test]
    fn evaluations_are_limited() {
        // A slope that never turns and never flattens.
        let (found, evaluations) = search(|t| (-t, -1.0), 1.0, 3);
        assert_eq!(evaluations, 4);
        assert_eq!(found.t, 1000.0);
        assert_eq!(search(|t| ((t - 2.0).powi(2), 2.0 * (t - 2.0)), 100.0, 0).1, 1);
    }
}
