//! What the tests of all rules share: made gradients, and the comparison with a definition for one element in `f64`.

use super::{ARRAYS, Options, Rule, Slot};
use crate::Real;

/// Sizes of a small and of a large model: one slot, some slots, slots cut in pieces.
const MODELS: [&[usize]; 3] = [&[5], &[17, 0, 300, 1], &[70_000, 3, 40_000]];

/// Gradients that differ from step to step, exact in `f32`.
fn gradient(step: u64, i: usize) -> f64 {
    ((step as usize * 37 + i * 101) % 199) as f64 / 128.0 - 0.75
}

/// What a step, given by its number, does to a parameter with this gradient and arrays.
type Definition<'a> = dyn Fn(i32, &mut f64, f64, &mut [f64; ARRAYS]) + 'a;

/// A few steps do to each element what `definition(t, p, g, arrays)` says, in both precisions, with and without weight
/// decay of both kinds, and uphill.
pub(super) fn follows<R: Rule>(options: Options<R>, definition: impl Fn(i32, &mut f64, f64, &mut [f64; ARRAYS])) {
    for (weight_decay, decoupled, maximize) in [(0.0, false, false), (0.1, false, true), (0.2, true, false)] {
        let options = Options { weight_decay, decoupled, maximize, ..options };
        let whole = |t: i32, p: &mut f64, g: f64, state: &mut [f64; ARRAYS]| {
            let mut g = if maximize { -g } else { g };
            if decoupled {
                *p *= 1.0 - options.lr * weight_decay;
            } else {
                g += weight_decay * *p;
            }
            definition(t, p, g, state);
        };
        for sizes in MODELS {
            compare::<f64, R>(&options, sizes, 1e-13, &whole);
            compare::<f32, R>(&options, sizes, 4e-6, &whole);
        }
    }
}

fn compare<T: Real, R: Rule>(options: &Options<R>, sizes: &[usize], tolerance: f64, definition: &Definition<'_>) {
    let initial = options.rule.initial();
    let make = |x: f64| -> Vec<Vec<T>> { sizes.iter().map(|&n| vec![T::from_f64(x); n]).collect() };
    let (mut params, mut a, mut b, mut c) = (make(0.5), make(initial), make(initial), make(initial));
    let wanted = options.rule.arrays();
    let numel: usize = sizes.iter().sum();
    let mut elements = vec![(0.5, [initial; ARRAYS]); numel];
    let mut product = 1.0;
    // Large models take time, and differ from small ones only in how they are cut.
    for step in 1..=if numel > 1000 { 3 } else { 12 } {
        let grads: Vec<Vec<T>> =
            sizes.iter().map(|&n| (0..n).map(|i| T::from_f64(gradient(step, i))).collect()).collect();
        product = options.rule.product(step, product);
        let mut slots = Vec::new();
        for ((((param, grad), a), b), c) in params.iter_mut().zip(&grads).zip(&mut a).zip(&mut b).zip(&mut c) {
            let arrays =
                [wanted[0].then_some(&mut a[..]), wanted[1].then_some(&mut b[..]), wanted[2].then_some(&mut c[..])];
            slots.push(Slot { options, param, grad, arrays, step, product });
        }
        R::step(&mut slots);
        for (g, (p, state)) in grads.iter().flatten().zip(&mut elements) {
            definition(step as i32, p, g.to_f64(), state);
        }
    }
    for (p, (want, _)) in params.iter().flatten().zip(&elements) {
        assert!((p.to_f64() - want).abs() < tolerance, "{options:?}: {p} is not {want}");
    }
}
