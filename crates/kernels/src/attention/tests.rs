//! The kernels against the definitions, over sizes, masks and layouts.

use super::*;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// Heads, queries, keys, features, value features.
type Sizes = (usize, usize, usize, usize, usize);

struct Case<T> {
    sizes: Sizes,
    q: Vec<T>,
    k: Vec<T>,
    v: Vec<T>,
    g: Vec<T>,
    mask: Option<Vec<T>>,
    causal: Option<usize>,
    dropout: Option<Dropout<T>>,
}

fn mats_of<'a, T: Real>(
    data: &'a [T],
    rows: usize,
    cols: usize,
    batch: &'a [usize],
    strides: &'a [usize],
) -> Mats<'a, T> {
    Mats::new(Mat::row_major(data, rows, cols), batch, strides)
}

impl<T: Real> Case<T> {
    fn random(sizes: Sizes, rng: &mut SmallRng) -> Self {
        let (h, l, s, e, f) = sizes;
        let mut numbers = |n: usize| (0..n).map(|_| T::from_f64(rng.random::<f64>() * 2.0 - 1.0)).collect();
        let (q, k, v, g) = (numbers(h * l * e), numbers(h * s * e), numbers(h * s * f), numbers(h * l * f));
        Case { sizes, q, k, v, g, mask: None, causal: None, dropout: None }
    }

    /// Runs both passes: the output, then the gradients of `q`, `k` and `v`, and what they should be.
    fn run(&self) -> ([Vec<T>; 4], [Vec<f64>; 4]) {
        let (h, l, s, e, f) = self.sizes;
        let batch = [h];
        let strides = [l * e, s * e, s * f, l * f, l * s].map(|stride| [stride]);
        let [sq, sk, sv, so, sm] = &strides;
        let mats = |data, rows, cols, stride| mats_of(data, rows, cols, &batch, stride);
        let a = Attention {
            q: mats(&self.q, l, e, sq),
            k: mats(&self.k, s, e, sk),
            v: mats(&self.v, s, f, sv),
            mask: self.mask.as_deref().map(|mask| mats(mask, l, s, sm)),
            causal: self.causal,
            scale: 0.7,
            dropout: self.dropout,
        };
        let (mut out, mut logs) = (vec![T::NAN; h * l * f], vec![T::NAN; h * l]);
        attention(a, &mut MatsMut::new(&mut out, (l, f), f, &batch, so), &mut logs);
        let [mut dq, mut dk, mut dv] = [h * l * e, h * s * e, h * s * f].map(|n| vec![T::NAN; n]);
        attention_backward(
            a,
            mats(&out, l, f, so),
            mats(&self.g, l, f, so),
            &logs,
            &mut MatsMut::new(&mut dq, (l, e), e, &batch, sq),
            &mut MatsMut::new(&mut dk, (s, e), e, &batch, sk),
            &mut MatsMut::new(&mut dv, (s, f), f, &batch, sv),
        );
        if (l, e) == (s, f) {
            // Laid out as `[token, q | k | v, head, feature]`.
            let (packed, places) = ([3, h], [h * e, e]);
            let mut grads = vec![T::NAN; 3 * h * l * e];
            let mut packed_mats = MatsMut::new(&mut grads, (l, e), 3 * h * e, &packed, &places);
            attention_backward_packed(a, mats(&out, l, f, so), mats(&self.g, l, f, so), &logs, &mut packed_mats);
            for (part, one) in [&dq, &dk, &dv].into_iter().enumerate() {
                for (i, &x) in one.iter().enumerate() {
                    let (head, token, feature) = (i / (l * e), i / e % l, i % e);
                    let y = grads[token * 3 * h * e + part * h * e + head * e + feature];
                    assert!(x == y || x.is_nan() && y.is_nan(), "{:?}: packed gradient {part}", self.sizes);
                }
            }
        }
        let [want_q, want_k, want_v] = reference::attention_backward(&a, &mats(&self.g, l, f, so));
        let want = [reference::attention(&a), want_q, want_k, want_v];
        ([out, dq, dk, dv], want)
    }

    #[track_caller]
    fn check(&self, tolerance: f64) {
        let (ours, want) = self.run();
        for (name, (ours, want)) in ["out", "dq", "dk", "dv"].iter().zip(ours.iter().zip(&want)) {
            for (i, (a, b)) in ours.iter().zip(want).enumerate() {
                let close = (a.to_f64() - b).abs() <= tolerance * (1.0 + b.abs());
                assert!(close, "{:?}, causal {:?}: {name} at {i}: {a} is not {b}", self.sizes, self.causal);
            }
        }
    }
}

const SIZES: [Sizes; 15] = [
    (1, 1, 1, 1, 1),
    (2, 3, 5, 4, 3),
    (3, 7, 4, 5, 6),
    (2, 64, 128, 8, 8),
    (1, 65, 129, 16, 9),
    (1, 130, 300, 7, 5),
    (1, 300, 130, 4, 4),
    (9, 20, 20, 64, 64),
    (1, 40, 90, 200, 300),
    (1, 1, 500, 33, 32),
    (1, 5, 4, 3, 0),
    (2, 140, 140, 9, 9),
    (10, 128, 128, 16, 16),
    (3, 257, 257, 8, 8),
    (2, 3, 0, 2, 2),
];

fn check_all<T: Real>(tolerance: f64) {
    let mut rng = SmallRng::seed_from_u64(8);
    for sizes in SIZES {
        let (h, l, s, ..) = sizes;
        let mut case = Case::<T>::random(sizes, &mut rng);
        for causal in [None, Some(0), Some(s.saturating_sub(l)), Some(2 * s)] {
            case.causal = causal;
            case.check(tolerance);
        }
        // Every third key hidden, some queries see nothing, the rest is shifted.
        let mask = |i: usize| match (i % 3, i / s % 4) {
            (0, _) | (_, 2) => -T::INFINITY,
            _ => T::from_f64((i % 7) as f64 * 0.3 - 1.0),
        };
        if s == 0 {
            continue;
        }
        case.mask = Some((0..h * l * s).map(mask).collect());
        case.causal = None;
        case.check(tolerance);
        case.causal = Some(1);
        case.dropout = Some(Dropout::new(9, 0.3));
        case.check(tolerance);
    }
}

#[test]
fn all_sizes_agree_with_the_definitions() {
    check_all::<f64>(1e-12);
    check_all::<f32>(2e-5);
}

#[test]
fn large_scores_do_not_overflow() {
    let mut case = Case::<f32>::random((1, 3, 200, 2, 2), &mut SmallRng::seed_from_u64(1));
    case.q.iter_mut().for_each(|x| *x *= 1000.0);
    case.check(1e-3);
    case.k[0] = f32::NAN;
    let ([out, dq, ..], _) = case.run();
    assert!(out.iter().chain(&dq).all(|x| x.is_nan()), "NaN is passed on");
}

#[cfg(feature = "rayon")]
#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let case = Case::<f32>::random((3, 150, 270, 16, 16), &mut SmallRng::seed_from_u64(2));
    let results = [1, 2, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        pool.install(|| case.run().0)
    });
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}
