//! Products at every level compared with the definition, over random shapes, strides and epilogues.

use std::ops::Range;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::driver::{Element, Size, gemm_packed};
use super::lane::Lane;
use super::pack::Source;
use super::{Epilogue, Mat, Mats, MatsMut, batched_at, gemm, gemm_at, reference};
use crate::{Accum, Number, Real, simd};

fn numbers<T: Real>(len: usize, rng: &mut SmallRng) -> Vec<T> {
    (0..len).map(|_| T::from_f64(rng.random_range(-1.0..1.0))).collect()
}

/// Strides for a matrix: row-major, column-major, with gaps, or broadcast.
fn strides(rows: usize, cols: usize, rng: &mut SmallRng) -> (usize, usize) {
    match rng.random_range(0..7) {
        0 | 1 => (cols, 1),
        2 | 3 => (1, rows),
        4 => (cols + 3, 1),
        5 => (2 * cols + 1, 2),
        _ => [(0, 1), (1, 0)][rng.random_range(0..2)],
    }
}

fn side(rng: &mut SmallRng) -> usize {
    match rng.random_range(0..4) {
        0 => rng.random_range(1..5),
        1 => rng.random_range(1..40),
        2 => rng.random_range(1..130),
        _ => [1, 14, 16, 28, 32, 48, 64, 96, 100][rng.random_range(0..9)],
    }
}

/// Numbers, enough for a matrix with these strides.
fn matrix<T: Real>(rows: usize, cols: usize, (rs, cs): (usize, usize), rng: &mut SmallRng) -> Vec<T> {
    numbers(super::reach(rows, cols, rs, cs), rng)
}

fn assert_close<T: Real>(got: &[T], want: &[T], k: usize, what: &str) {
    assert_eq!(got.len(), want.len());
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let error = (g.to_f64() - w.to_f64()).abs();
        let bound = T::EPSILON.to_f64() * (k as f64 + 8.0) * w.to_f64().abs().max(1.0);
        assert!(error <= bound, "{what}: element {i} is {g}, not {w}");
    }
}

fn compare<T: Element>(m: usize, n: usize, k: usize, rng: &mut SmallRng) {
    let (sa, sb) = (strides(m, k, rng), strides(k, n, rng));
    let (a, b) = (matrix::<T>(m, k, sa, rng), matrix::<T>(k, n, sb, rng));
    let (a, b) = (Mat::new(&a, m, k, sa.0, sa.1), Mat::new(&b, k, n, sb.0, sb.1));
    let (col_bias, row_bias) = (numbers::<T>(n, rng), numbers::<T>(m, rng));
    let epilogue = Epilogue {
        accum: if rng.random() { Accum::Replace } else { Accum::Add },
        col_bias: rng.random_bool(0.3).then_some(&col_bias[..]),
        row_bias: rng.random_bool(0.3).then_some(&row_bias[..]),
        relu: rng.random_bool(0.3),
    };
    let gap = [0, 0, 5][rng.random_range(0..3)];
    let old = match epilogue.accum {
        Accum::Replace => vec![T::NAN; m * (n + gap)],
        Accum::Add => numbers(m * (n + gap), rng),
    };
    // The reference has no gaps between rows.
    let mut want: Vec<T> = old.chunks(n + gap).flat_map(|row| row[..n].to_vec()).collect();
    reference::gemm(a, b, &mut want, epilogue);
    for &level in simd::available() {
        let mut got = old.clone();
        gemm_at(level, a, b, &mut MatsMut::one(&mut got, m, n, n + gap), epilogue);
        let rows = got.chunks(n + gap).zip(old.chunks(n + gap)).zip(want.chunks(n));
        for (i, ((got, old), want)) in rows.enumerate() {
            let what = format!("{} {level:?} {m}x{k}x{n} {sa:?} {sb:?} row {i} {epilogue:?}", T::NAME);
            assert_close(&got[..n], want, k, &what);
            let kept = got[n..].iter().zip(&old[n..]).all(|(x, y)| x == y || x.is_nan() && y.is_nan());
            assert!(kept, "{what}: the gap between rows was written");
        }
    }
}

#[test]
fn every_level_agrees_with_the_definition() {
    let mut rng = SmallRng::seed_from_u64(1);
    for _ in 0..400 {
        let (m, n, k) = (side(&mut rng), side(&mut rng), side(&mut rng));
        compare::<f32>(m, n, k, &mut rng);
        compare::<f64>(m, n, k, &mut rng);
    }
}

#[test]
fn vectors_and_empty_long_or_large_products() {
    let mut rng = SmallRng::seed_from_u64(2);
    for (m, n, k) in [
        (5, 7, 0),
        (1, 300, 70),
        (300, 1, 70),
        (1, 1, 1000),
        (1, 900, 3),
        (3, 2, 1),
        (33, 40, 1100),
        (1, 40, 2000),
        (40, 9, 3000),
        (600, 70, 40),
        (60, 700, 40),
        (300, 2100, 50),
        (12, 100, 60),
        (2, 700, 40),
        (3, 90, 130),
        (7, 1100, 230),
        (8, 67, 300),
    ] {
        for _ in 0..12 {
            compare::<f32>(m, n, k, &mut rng);
            compare::<f64>(m, n, k, &mut rng);
        }
    }
}

#[test]
fn small_products_of_odd_sizes() {
    let mut rng = SmallRng::seed_from_u64(5);
    for m in [2, 9, 17, 31, 33] {
        for n in [2, 3, 4, 6, 7, 9, 10, 17, 18, 25, 33, 34] {
            for k in [1, 17, 64, 130] {
                compare::<f32>(m, n, k, &mut rng);
                compare::<f64>(m, n, k, &mut rng);
            }
        }
    }
}

/// A factor whose numbers stand nowhere: `(lane, p)` is `lane % 7 - p % 5 / 8`, or minus that.
#[derive(Clone, Copy)]
struct Formula {
    sign: f64,
}

impl Formula {
    fn at(self, lane: usize, p: usize) -> f64 {
        self.sign * (lane as f64 % 7.0 - p as f64 % 5.0 / 8.0)
    }
}

impl<T: Real> Source<T> for Formula {
    #[inline(always)]
    fn pack<L: Lane<Num = T>>(&self, ks: Range<usize>, lanes: Range<usize>, width: usize, panel: &mut [T]) {
        assert!(width.is_multiple_of(L::LANES) && width >= lanes.len());
        for (row, p) in panel.chunks_mut(width).zip(ks) {
            row.iter_mut().zip(lanes.clone()).for_each(|(x, lane)| *x = T::from_f64(self.at(lane, p)));
        }
    }
}

fn compare_formulas<T: Element>(m: usize, n: usize, k: usize, batch: usize) {
    let (shape, places) = ([batch], [m * n]);
    let factors = |i: usize| (Formula { sign: 1.0 }, Formula { sign: if i.is_multiple_of(2) { 1.0 } else { -1.0 } });
    for &level in simd::available() {
        let mut got = vec![T::NAN; batch * m * n];
        let mut c = MatsMut::new(&mut got, (m, n), n, &shape, &places);
        gemm_packed(level, Size { m, n, k }, factors, &mut c, Epilogue::plain(Accum::Replace));
        for (i, got) in got.chunks(m * n).enumerate() {
            let (a, b) = factors(i);
            let want = |at: usize| (0..k).map(|p| a.at(at / n, p) * b.at(at % n, p)).sum::<f64>();
            let want: Vec<T> = (0..m * n).map(|at| T::from_f64(want(at))).collect();
            assert_close(got, &want, k, &format!("{} {level:?} {m}x{k}x{n} product {i}", T::NAME));
        }
    }
}

#[test]
fn factors_may_be_made_while_packing() {
    for (m, n, k, batch) in
        [(1, 1, 1, 1), (5, 50, 9, 7), (32, 100, 27, 3), (70, 45, 600, 1), (16, 9, 5000, 1), (3, 4, 0, 2)]
    {
        compare_formulas::<f32>(m, n, k, batch);
        compare_formulas::<f64>(m, n, k, batch);
    }
}

/// Runs `work` with 1, 2 and 3 threads and compares the bits.
fn same_at_any_thread_count(work: impl Fn() -> Vec<f32> + Sync) {
    let first = work();
    #[cfg(feature = "rayon")]
    for threads in 1..=3 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let again = pool.install(&work);
        assert!(first.iter().zip(&again).all(|(x, y)| x.to_bits() == y.to_bits()), "{threads} threads");
    }
    let again = work();
    assert!(first.iter().zip(&again).all(|(x, y)| x.to_bits() == y.to_bits()));
}

#[test]
fn threads_do_not_change_bits() {
    let mut rng = SmallRng::seed_from_u64(3);
    for (m, n, k) in [
        (200, 300, 700),
        (1, 900, 1500),
        (900, 1, 1500),
        (64, 512, 784),
        (20, 30, 40_000),
        (1000, 20, 60),
        (650, 680, 640),
        (3, 2050, 160),
        (7, 1031, 300),
        (1, 96, 8192),
    ] {
        let (a, b) = (numbers::<f32>(m * k, &mut rng), numbers::<f32>(k * n, &mut rng));
        for &level in simd::available() {
            for (a, b) in [
                (Mat::row_major(&a, m, k), Mat::row_major(&b, k, n)),
                (Mat::row_major(&a, k, m).t(), Mat::row_major(&b, n, k).t()),
            ] {
                same_at_any_thread_count(|| {
                    let mut c = vec![f32::NAN; m * n];
                    gemm_at(level, a, b, &mut MatsMut::row_major(&mut c, m, n), Epilogue::plain(Accum::Replace));
                    c
                });
            }
        }
    }
}

#[test]
fn batches_are_products() {
    let mut rng = SmallRng::seed_from_u64(4);
    // Heads of a [batch 2, token 10, head 3, feature 8] tensor: scores = q k^T, and one matrix for all heads.
    let (batch, heads, tokens, features) = (2, 3, 10, 8);
    let (row, shape) = (heads * features, [batch, heads]);
    let (q, k) = (numbers::<f64>(batch * tokens * row, &mut rng), numbers::<f64>(batch * tokens * row, &mut rng));
    let strides = [tokens * row, features];
    let one = numbers::<f64>(tokens * features, &mut rng);
    for &level in simd::available() {
        let a = Mats::new(Mat::new(&q, tokens, features, row, 1), &shape, &strides);
        for b in [
            Mats::new(Mat::new(&k, features, tokens, 1, row), &shape, &strides),
            Mats::new(Mat::row_major(&one, features, tokens), &shape, &[0, 0]),
        ] {
            let mut got = vec![f64::NAN; batch * heads * tokens * tokens];
            let places = [heads * tokens * tokens, tokens * tokens];
            let mut c = MatsMut::new(&mut got, (tokens, tokens), tokens, &shape, &places);
            batched_at(level, a, b, &mut c, Epilogue::plain(Accum::Replace));
            for (i, got) in got.chunks(tokens * tokens).enumerate() {
                let mut want = vec![f64::NAN; tokens * tokens];
                reference::gemm(a.get(i), b.get(i), &mut want, Epilogue::plain(Accum::Replace));
                assert_close(got, &want, features, &format!("{level:?} product {i}"));
            }
        }
        // The output's heads side by side, as a tensor [batch, token, head, feature].
        let p = numbers::<f64>(batch * heads * tokens * tokens, &mut rng);
        let places = [heads * tokens * tokens, tokens * tokens];
        let a = Mats::new(Mat::row_major(&p, tokens, tokens), &shape, &places);
        let b = Mats::new(Mat::new(&k, tokens, features, row, 1), &shape, &strides);
        let mut got = vec![f64::NAN; batch * tokens * row];
        let mut c = MatsMut::new(&mut got, (tokens, features), row, &shape, &strides);
        batched_at(level, a, b, &mut c, Epilogue::plain(Accum::Replace));
        for i in 0..batch * heads {
            let mut want = vec![f64::NAN; tokens * features];
            reference::gemm(a.get(i), b.get(i), &mut want, Epilogue::plain(Accum::Replace));
            let start = i / heads * strides[0] + i % heads * strides[1];
            for (t, want) in want.chunks(features).enumerate() {
                let got = &got[start + t * row..][..features];
                assert_close(got, want, tokens, &format!("{level:?} product {i} token {t}"));
            }
        }
    }
}

#[test]
fn large_batches_of_small_products() {
    let mut rng = SmallRng::seed_from_u64(5);
    let (count, m, n, k) = (500, 7, 9, 11);
    let (a, b) = (numbers::<f32>(count * m * k, &mut rng), numbers::<f32>(count * k * n, &mut rng));
    let (shape, sa, sb, sc) = ([count], [m * k], [k * n], [m * n]);
    let bias = numbers::<f32>(n, &mut rng);
    let epilogue = Epilogue { col_bias: Some(&bias), relu: true, ..Epilogue::plain(Accum::Add) };
    let (a, b) = (Mats::new(Mat::row_major(&a, m, k), &shape, &sa), Mats::new(Mat::row_major(&b, k, n), &shape, &sb));
    let old = numbers::<f32>(count * m * n, &mut rng);
    let mut want = old.clone();
    for (i, want) in want.chunks_mut(m * n).enumerate() {
        reference::gemm(a.get(i), b.get(i), want, epilogue);
    }
    for &level in simd::available() {
        let mut got = old.clone();
        batched_at(level, a, b, &mut MatsMut::new(&mut got, (m, n), n, &shape, &sc), epilogue);
        assert_close(&got, &want, k, &format!("{level:?}"));
    }
}

#[test]
fn a_relu_has_the_bits_of_a_maximum() {
    let mut rng = SmallRng::seed_from_u64(9);
    for (m, n, k) in [(1, 64, 100), (3, 40, 20), (20, 64, 9), (17, 33, 70), (5, 7, 0)] {
        let (mut a, b) = (numbers::<f32>(m * k, &mut rng), numbers::<f32>(k * n, &mut rng));
        // Rows of -0 and of NaN.
        a.chunks_mut(k.max(1)).step_by(3).for_each(|row| row.fill(-0.0));
        a.chunks_mut(k.max(1)).skip(1).step_by(4).for_each(|row| row[0] = f32::NAN);
        let bias = vec![-0.0; n];
        for (&level, bias) in simd::available().iter().flat_map(|level| [(level, None), (level, Some(&bias[..]))]) {
            let (mut fused, mut apart) = (vec![1.0; m * n], vec![1.0; m * n]);
            let plain = Epilogue { col_bias: bias, ..Epilogue::plain(Accum::Replace) };
            for (out, relu) in [(&mut fused, true), (&mut apart, false)] {
                let (a, b, c) =
                    (Mat::row_major(&a, m, k), Mat::row_major(&b, k, n), &mut MatsMut::row_major(out, m, n));
                gemm_at(level, a, b, c, Epilogue { relu, ..plain });
            }
            let same = fused.iter().zip(&apart).all(|(x, y)| x.to_bits() == Number::maximum(*y, 0.0).to_bits());
            assert!(same, "{level:?} {m}x{k}x{n}, bias {}", bias.is_some());
        }
    }
}

#[test]
#[should_panic(expected = "share a place")]
fn outputs_may_not_overlap() {
    MatsMut::new(&mut [0.0_f32; 100], (4, 5), 5, &[3], &[19]);
}

#[test]
#[should_panic(expected = "inner sizes differ")]
fn inner_sizes_are_checked() {
    let x = [1.0_f32; 6];
    gemm(Mat::row_major(&x, 2, 3), Mat::row_major(&x, 2, 3), &mut [0.0; 6], Epilogue::plain(Accum::Replace));
}

#[test]
#[should_panic(expected = "a 2x1 matrix reaches element 18446744073709551615 of 1")]
fn a_matrix_does_not_reach_around_memory() {
    Mat::new(&[0f32], 2, 1, usize::MAX, 1);
}

#[test]
#[should_panic(expected = "the output reaches element 18446744073709551615 of 1")]
fn an_output_does_not_reach_around_memory() {
    MatsMut::new(&mut [0f32], (2, 1), usize::MAX, &[], &[]);
}

#[test]
#[should_panic(expected = "the batch reaches element 18446744073709551615 of 1")]
fn a_batch_does_not_reach_around_memory() {
    Mats::new(Mat::new(&[0f32], 1, 1, 1, 1), &[2], &[usize::MAX]);
}

#[test]
fn a_batch_that_repeats_is_counted() {
    // The product is 2^64 + 1.
    let (batch, one) = ([274_177, 67_280_421_310_721], [0f32]);
    assert_eq!(Mats::new(Mat::new(&one, 1, 1, 1, 1), &batch, &[0, 0]).count(), usize::MAX);
}
