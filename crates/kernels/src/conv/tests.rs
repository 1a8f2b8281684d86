//! All paths against the definition, over random geometries; bits against the number of threads.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::areas::{Reach, Work};
use super::ways::Way;
use super::{Conv2d, Epilogue, Path, blocked, forward, input_grad, reference, rows, samples, weight_grad, winograd};
use crate::simd::{self, Level};
use crate::{Real, relu};

/// Numbers in -1..1.
fn random<T: Real>(rng: &mut SmallRng, len: usize) -> Vec<T> {
    (0..len).map(|_| T::from_f64(rng.random_range(-1.0..1.0))).collect()
}

/// Compares `got` with `want`, whose elements are sums of `terms` products of numbers below 1.
fn close<T: Real>(got: &[T], want: &[T], terms: usize, what: &str, geometry: &Conv2d) {
    // Rounding grows like the root of the number of terms; 40 leaves room for the transforms of the fast paths.
    let allowed = 40.0 * T::EPSILON.to_f64() * (terms.max(1) as f64).sqrt();
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (got.to_f64() - want.to_f64()).abs();
        assert!(error <= allowed, "{what}[{at}] of {geometry:?}: {got} instead of {want}");
    }
}

/// Checks the three passes for one geometry. The outputs start as NaN: all of them must be written.
fn check<T: Real>(geometry: &Conv2d, rng: &mut SmallRng) {
    let (nx, nw, ny) = (geometry.input_len(), geometry.weight_len(), geometry.output_len());
    let (x, w, g): (Vec<T>, Vec<T>, Vec<T>) = (random(rng, nx), random(rng, nw), random(rng, ny));
    let bias: Option<Vec<T>> = rng.random_bool(0.5).then(|| random(rng, geometry.out_channels));
    let epilogue = Epilogue { bias: bias.as_deref(), relu: rng.random_bool(0.3) };
    let (mut got, mut want) = (vec![T::NAN; ny], vec![T::NAN; ny]);
    forward(geometry, &x, &w, epilogue, &mut got);
    reference::forward(geometry, &x, &w, epilogue, &mut want);
    close(&got, &want, geometry.group_in() * geometry.taps() + 1, "y", geometry);
    let (mut got, mut want) = (vec![T::NAN; nx], vec![T::NAN; nx]);
    input_grad(geometry, &g, &w, &mut got);
    reference::input_grad(geometry, &g, &w, &mut want);
    close(&got, &want, geometry.group_out() * geometry.taps(), "dx", geometry);
    let (mut got, mut want) = (vec![T::NAN; nw], vec![T::NAN; nw]);
    weight_grad(geometry, &x, &g, &mut got);
    reference::weight_grad(geometry, &x, &g, &mut want);
    let [oh, ow] = geometry.output();
    close(&got, &want, geometry.batch * oh * ow, "dw", geometry);
}

/// A square geometry: `[batch, in, out]`, size, kernel, stride, padding, dilation, groups.
pub(super) fn square(
    [batch, in_channels, out_channels]: [usize; 3],
    size: usize,
    [kernel, stride, padding, dilation, groups]: [usize; 5],
) -> Conv2d {
    let twice = |n: usize| [n, n];
    Conv2d {
        batch,
        in_channels,
        out_channels,
        input: twice(size),
        kernel: twice(kernel),
        stride: twice(stride),
        padding: twice(padding),
        dilation: twice(dilation),
        groups,
    }
}

/// Some geometry, anything goes, including windows that do not fit.
fn any(rng: &mut SmallRng) -> Conv2d {
    let groups = [1, 1, 1, 2, 3][rng.random_range(0..5)];
    let mut pair = |low: usize, high: usize| [rng.random_range(low..=high), rng.random_range(low..=high)];
    let (input, kernel, stride, padding, dilation) = (pair(1, 17), pair(1, 4), pair(1, 3), pair(0, 3), pair(1, 2));
    Conv2d {
        batch: rng.random_range(0..=4),
        in_channels: groups * rng.random_range(1..=6),
        out_channels: groups * rng.random_range(1..=6),
        input,
        kernel,
        stride,
        padding,
        dilation,
        groups,
    }
}

#[test]
fn random_geometries_agree_with_the_definition() {
    let mut rng = SmallRng::seed_from_u64(1);
    for _ in 0..300 {
        let geometry = any(&mut rng);
        check::<f32>(&geometry, &mut rng);
        check::<f64>(&geometry, &mut rng);
    }
}

#[test]
fn padding_is_left_out() {
    let mut rng = SmallRng::seed_from_u64(5);
    for geometry in [
        square([2, 64, 64], 17, [3, 1, 9, 9, 1]),
        square([4, 64, 96], 32, [3, 2, 25, 25, 1]), // strided
        square([2, 64, 96], 17, [3, 1, 15, 15, 2]), // groups
        square([6, 64, 64], 5, [7, 1, 9, 3, 1]),    // short rows
        square([1, 48, 96], 9, [3, 1, 20, 6, 1]),   // windows in the padding alone
        square([1, 48, 96], 9, [4, 1, 20, 7, 1]),
    ] {
        let reach = [0, 1].map(|d| Reach::forward(&geometry, d));
        let [oh, ow] = geometry.output();
        let work = Work {
            batch: geometry.batch,
            together: blocked::blocks(geometry.batch, oh * ow).0,
            channels: geometry.group_in(),
            outputs: geometry.group_out(),
            way: Way::Rows,
        };
        let leaves_out = work.cut(&reach).0.iter().any(|area| !area.reaches(&reach, [0, 0]));
        assert!(leaves_out && !winograd::serves_forward(&geometry), "{geometry:?} is a whole");
        check::<f32>(&geometry, &mut rng);
        check::<f64>(&geometry, &mut rng);
    }
}

/// A geometry of more samples than a register has lanes, and not always a multiple.
fn many(rng: &mut SmallRng) -> Conv2d {
    Conv2d { batch: rng.random_range(12..=40), ..any(rng) }
}

#[test]
fn samples_side_by_side_agree_with_the_definition() {
    let mut rng = SmallRng::seed_from_u64(6);
    let given = [
        square([16, 8, 8], 5, [7, 1, 9, 3, 1]),    // areas
        square([20, 6, 12], 9, [3, 1, 8, 8, 2]),   // areas of groups
        square([33, 4, 8], 14, [3, 2, 1, 1, 4]),   // phases, two blocks and one sample
        square([16, 12, 4], 11, [2, 3, 0, 2, 2]),  // places that no window reaches
        square([17, 64, 96], 8, [3, 2, 1, 1, 1]),  // more tiles below each other than read windows where they stand
        square([16, 16, 64], 9, [7, 1, 3, 1, 16]), // one channel to a group, and more outputs
    ];
    let (mut batched, mut correlated) = ([0, 0], 0);
    for geometry in given.into_iter().chain((0..100).map(|_| many(&mut rng)).collect::<Vec<_>>()) {
        if geometry.checked_output().is_some() {
            let tasks = [blocked::forward_task(&geometry), blocked::input_grad_task(&geometry)];
            for (count, (task, numbers)) in batched.iter_mut().zip(tasks) {
                *count += usize::from(task.way::<f32>(numbers) == Way::Batched);
            }
            correlated += usize::from(samples::applies::<f32>(&geometry));
        }
        check::<f32>(&geometry, &mut rng);
        check::<f64>(&geometry, &mut rng);
    }
    let counts = [batched[0], batched[1], correlated];
    assert!(simd::level() == Level::Portable || counts.iter().all(|&count| count > 20), "{counts:?} of 106");
}

#[test]
fn neighbors_side_by_side_agree_with_the_definition() {
    let mut rng = SmallRng::seed_from_u64(7);
    let given = [
        square([2, 1, 32], 28, [3, 1, 0, 1, 1]),  // most registers meet the end of a row
        square([3, 2, 7], 32, [3, 1, 1, 1, 1]),   // none does; outputs and elements are left over
        square([2, 3, 4], 40, [5, 2, 2, 2, 1]),   // phases
        square([2, 6, 2], 17, [2, 1, 0, 1, 2]),   // groups, and a register for every row
        square([9, 1, 16], 112, [7, 4, 3, 1, 1]), // two samples in a share
    ];
    let wide = |rng: &mut SmallRng| Conv2d { input: [rng.random_range(5..=20), rng.random_range(18..=50)], ..any(rng) };
    let mut count = 0;
    for geometry in given.into_iter().chain((0..100).map(|_| wide(&mut rng)).collect::<Vec<_>>()) {
        let is_blocked = |geometry| matches!(Path::of(geometry, winograd::serves_weights(geometry)), Path::Blocked);
        if geometry.checked_output().is_some() && is_blocked(&geometry) && !samples::applies::<f32>(&geometry) {
            count += usize::from(rows::applies::<f32>(&geometry));
        }
        check::<f32>(&geometry, &mut rng);
        check::<f64>(&geometry, &mut rng);
    }
    assert!(simd::level() == Level::Portable || count > 20, "{count} of 105");
}

#[test]
fn an_infinity_stays_with_the_elements_that_meet_it() {
    let geometry = square([2, 1, 32], 29, [3, 1, 0, 1, 1]);
    assert!(simd::level() == Level::Portable || rows::applies::<f32>(&geometry));
    let mut x = vec![1f32; geometry.input_len()];
    // The corners meet one element of a window each.
    (x[28], x[29 * 29 - 1]) = (f32::INFINITY, f32::INFINITY);
    let (g, mut dw) = (vec![1f32; geometry.output_len()], vec![0f32; geometry.weight_len()]);
    weight_grad(&geometry, &x, &g, &mut dw);
    for window in dw.chunks_exact(9) {
        let want = 2. * 27. * 27.;
        assert_eq!(window, [want, want, f32::INFINITY, want, want, want, want, want, f32::INFINITY]);
    }
}

#[test]
fn windows_written_out_agree_with_the_definition() {
    let mut rng = SmallRng::seed_from_u64(8);
    for geometry in [
        square([2, 3, 5], 13, [4, 4, 1, 1, 1]),    // parts of windows in the padding
        square([3, 4, 6], 23, [5, 7, 2, 1, 2]),    // groups, pixels that no window meets
        square([5, 3, 8], 40, [8, 8, 0, 1, 1]),    // samples put together
        square([2, 20, 9], 36, [16, 16, 7, 1, 1]), // channels put apart
    ] {
        assert!(
            super::patches::applies(&geometry)
                && !(samples::applies::<f32>(&geometry)
                    || rows::applies::<f32>(&geometry)
                    || super::beside::applies(&geometry))
        );
        check::<f32>(&geometry, &mut rng);
        check::<f64>(&geometry, &mut rng);
    }
}

/// Geometries that each take a path or an edge of their own.
fn special() -> Vec<Conv2d> {
    vec![
        square([2, 5, 7], 9, [1, 1, 0, 1, 1]),     // 1x1
        square([3, 8, 4], 9, [1, 2, 0, 1, 1]),     // 1x1, strided
        square([2, 3, 5], 6, [6, 1, 0, 1, 1]),     // the kernel covers the image
        square([5, 8, 12], 3, [3, 2, 0, 1, 2]),    // the same, groups
        square([7, 9, 6], 1, [1, 1, 0, 1, 3]),     // images of one pixel
        square([17, 12, 8], 2, [1, 1, 0, 1, 2]),   // 1x1, few pixels, groups
        square([9, 512, 513], 2, [1, 1, 0, 1, 1]), // 1x1, few pixels, many weights
        square([43, 96, 176], 6, [4, 2, 1, 1, 1]), // many weights, blocks of 22 and 21 samples
        square([1, 3, 8], 31, [7, 2, 3, 1, 1]),    // the stem of a residual net
        square([2, 6, 6], 13, [3, 1, 1, 1, 6]),    // depthwise
        square([2, 6, 6], 13, [3, 2, 1, 1, 6]),    // depthwise, strided
        square([2, 4, 12], 10, [5, 1, 2, 1, 4]),   // depthwise with a multiplier
        square([3, 24, 24], 7, [3, 1, 1, 1, 24]),  // depthwise, many channels
        square([2, 19, 38], 15, [5, 2, 3, 1, 19]), // depthwise, many channels, strided, with a multiplier
        square([2, 17, 17], 12, [2, 3, 0, 2, 17]), // depthwise, many channels, elements that no window reaches
        square([1, 9, 9], 70, [3, 1, 1, 1, 9]),    // depthwise, large planes
        square([3, 1, 32], 28, [3, 1, 0, 1, 1]),   // one channel
        square([2, 32, 64], 26, [3, 1, 0, 1, 1]),  // 3x3
        square([5, 17, 20], 23, [3, 1, 1, 1, 1]),  // 3x3, many tiles, odd sizes
        square([4, 70, 34], 26, [3, 1, 0, 1, 1]),  // 3x3, many tiles, many channels
        square([3, 16, 16], 7, [3, 1, 1, 1, 1]),   // 3x3, odd size, padded
        square([2, 33, 18], 10, [3, 1, 2, 1, 1]),  // 3x3, odd channels, wide padding
        square([1, 17, 40], 5, [3, 1, 0, 1, 1]),   // 3x3, batch 1
        square([1, 32, 64], 26, [3, 1, 0, 1, 1]),  // 3x3, batch 1, rows of tiles in halves
        square([9, 24, 40], 7, [3, 1, 1, 1, 1]),   // 3x3, the same, an odd number of rows
        square([9, 64, 48], 4, [3, 1, 1, 1, 1]),   // 3x3, small images
        square([1, 20, 20], 3, [3, 1, 0, 1, 1]),   // 3x3, one window
        square([2, 40, 24], 12, [3, 2, 1, 1, 1]),  // 3x3, strided
        square([2, 20, 70], 15, [3, 2, 1, 1, 1]),  // 3x3, strided, sums over many channels
        square([1, 34, 64], 9, [5, 3, 3, 2, 1]),   // the same, dilated, elements that no window reaches
        square([2, 32, 140], 7, [2, 2, 0, 1, 2]),  // the same, groups
        square([2, 32, 32], 12, [3, 1, 2, 2, 1]),  // 3x3, dilated
        square([3, 17, 40], 27, [3, 1, 1, 2, 1]),  // the same, many tiles, phases of two sizes
        square([1, 40, 17], 19, [3, 1, 6, 3, 1]),  // the same, dilated by 3, wide padding
        square([4, 8, 24], 12, [3, 1, 2, 2, 1]),   // the same, few channels
        square([2, 48, 96], 13, [3, 1, 1, 1, 3]),  // 3x3, groups
        square([3, 6, 64], 12, [3, 1, 1, 1, 1]),   // 3x3, few channels in
        square([2, 40, 40], 13, [3, 1, 1, 1, 1]),  // 3x3, few tiles, their gradient of the weights in halves
        square([1, 80, 70], 4, [3, 1, 1, 1, 1]),   // 3x3, one tile
        square([5, 40, 34], 21, [3, 1, 2, 2, 2]),  // the same, many tiles, dilated
        square([5, 16, 30], 14, [3, 2, 1, 1, 1]),  // windows where they stand, samples together
        square([3, 8, 16], 14, [5, 1, 0, 1, 1]),   // the same, in planes that are not copied
        square([5, 32, 48], 15, [3, 2, 0, 2, 2]),  // the same, groups, dilated
        square([1, 64, 40], 40, [3, 2, 1, 1, 1]),  // the same, long sums and rows
        square([8, 16, 16], 9, [3, 3, 1, 1, 1]),   // the same, rows that are as long with their padding
        square([2, 12, 24], 13, [4, 1, 3, 1, 1]),  // the same, the gradient of the input too
        square([7, 30, 9], 10, [5, 1, 2, 1, 1]),   // channels that fill registers nearly, samples together
        square([2, 28, 30], 11, [3, 1, 1, 1, 2]),  // 3x3, two groups
        square([2, 6, 15], 37, [3, 1, 2, 2, 3]),   // rows of windows that end inside of registers, groups
        square([1, 3, 30], 75, [7, 2, 3, 1, 1]),   // the same, strided, taller than a tile
        square([2, 32, 64], 14, [5, 1, 2, 1, 1]),  // 5x5
        square([5, 33, 40], 23, [5, 1, 1, 1, 1]),  // 5x5, many tiles, odd sizes
        square([2, 70, 90], 7, [5, 1, 2, 1, 1]),   // 5x5, few tiles, many channels
        square([1, 24, 40], 18, [5, 1, 6, 2, 1]),  // 5x5, dilated, wide padding
        square([3, 48, 64], 11, [5, 1, 0, 1, 2]),  // 5x5, groups
        square([2, 20, 40], 3, [5, 1, 4, 1, 1]),   // 5x5, wide padding
        square([2, 1, 24], 21, [5, 3, 4, 2, 1]),   // one channel in, many out, elements that no window reaches
        square([3, 6, 40], 17, [4, 2, 1, 1, 2]),   // few channels in, groups, strided
        square([2, 2, 64], 3, [2, 5, 9, 1, 1]),    // few channels in, windows in the padding alone
        square([1, 1, 40], 1, [1, 20, 5, 1, 1]),   // the same
        square([1, 40, 40], 10, [4, 1, 1, 1, 1]),  // 4x4
        square([3, 24, 70], 17, [4, 1, 3, 2, 1]),  // 4x4, dilated, many tiles
        square([0, 3, 4], 8, [3, 1, 1, 1, 1]),     // empty batch
        square([2, 0, 4], 8, [3, 1, 1, 1, 1]),     // no channels
        square([2, 3, 4], 2, [3, 1, 0, 1, 1]),     // the kernel does not fit
    ]
}

#[test]
fn special_geometries_agree_with_the_definition() {
    let mut rng = SmallRng::seed_from_u64(2);
    for geometry in special() {
        check::<f32>(&geometry, &mut rng);
        check::<f64>(&geometry, &mut rng);
    }
}

#[test]
fn a_relu_in_the_epilogue_has_the_bits_of_one_behind_it() {
    let mut rng = SmallRng::seed_from_u64(5);
    for geometry in special() {
        // NaN stays, also behind a bias; sums of -0 become 0.
        let mut x: Vec<f32> = random(&mut rng, geometry.input_len());
        x.iter_mut().step_by(41).for_each(|x| *x = f32::NAN);
        x.iter_mut().step_by(3).for_each(|x| *x = -0.0);
        let w: Vec<f32> = random(&mut rng, geometry.weight_len());
        let bias = vec![-0.0; geometry.out_channels];
        for bias in [None, Some(&bias[..])] {
            let mut fused = vec![9.0; geometry.output_len()];
            let (mut apart, mut open) = (fused.clone(), vec![0; relu::bits_len(fused.len())]);
            forward(&geometry, &x, &w, Epilogue { bias, relu: true }, &mut fused);
            forward(&geometry, &x, &w, Epilogue { bias, relu: false }, &mut apart);
            relu::forward_in_place(&mut apart, &mut open);
            let same = fused.iter().zip(&apart).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{geometry:?}, bias {}", bias.is_some());
        }
    }
}

/// The root of the mean square of the differences.
fn distance(got: &[f32], want: &[f64]) -> f64 {
    let squares: f64 = got.iter().zip(want).map(|(&a, &b)| (f64::from(a) - b).powi(2)).sum();
    (squares / got.len() as f64).sqrt()
}

#[test]
fn winograd_rounds_little_more_than_a_direct_sum() {
    let mut rng = SmallRng::seed_from_u64(4);
    for (channels, kernel, dilation) in
        [(16, 3, 1), (64, 3, 1), (256, 3, 1), (64, 3, 2), (64, 4, 1), (16, 5, 1), (64, 5, 1), (256, 5, 1)]
    {
        let geometry = square([2, channels, 32], 12, [kernel, 1, kernel / 2 * dilation, dilation, 1]);
        assert!(winograd::serves_forward(&geometry) && winograd::serves_weights(&geometry));
        let x: Vec<f32> = random(&mut rng, geometry.input_len());
        let w: Vec<f32> = random(&mut rng, geometry.weight_len());
        let g: Vec<f32> = random(&mut rng, geometry.output_len());
        let exact = |v: &[f32]| v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let (mut fast, mut direct, mut want) = (g.clone(), g.clone(), vec![0.0; g.len()]);
        winograd::forward(&geometry, &x, &w, Epilogue::plain(), &mut fast);
        blocked::forward(&geometry, &x, &w, Epilogue::plain(), &mut direct);
        reference::forward(&geometry, &exact(&x), &exact(&w), Epilogue::plain(), &mut want);
        let forward = [distance(&fast, &want), distance(&direct, &want)];
        let (mut fast, mut direct, mut want) = (w.clone(), w.clone(), vec![0.0; w.len()]);
        winograd::weight_grad(&geometry, &x, &g, &mut fast);
        blocked::weight_grad(&geometry, &x, &g, &mut direct);
        reference::weight_grad(&geometry, &exact(&x), &exact(&g), &mut want);
        let gradient = [distance(&fast, &want), distance(&direct, &want)];
        println!(
            "{channels} channels, {kernel}x{kernel} dilated by {dilation}: forward {forward:?}, weight gradient {gradient:?}"
        );
        assert!(forward[0] < 6.0 * forward[1] && gradient[0] < 6.0 * gradient[1]);
    }
}

#[test]
fn a_worked_example() {
    let geometry = square([1, 1, 1], 3, [2, 1, 0, 1, 1]);
    let x: Vec<f32> = (1..=9).map(|i| i as f32).collect();
    let w = [1.0, 2.0, 3.0, 4.0];
    let (mut y, mut dx, mut dw) = ([0.0; 4], [0.0; 9], [0.0; 4]);
    forward(&geometry, &x, &w, Epilogue { bias: Some(&[0.5]), relu: false }, &mut y);
    assert_eq!(y, [37.5, 47.5, 67.5, 77.5]);
    input_grad(&geometry, &[1.0, 0.0, 0.0, -1.0], &w, &mut dx);
    assert_eq!(dx, [1.0, 2.0, 0.0, 3.0, 3.0, -2.0, 0.0, -3.0, -4.0]);
    weight_grad(&geometry, &x, &[1.0, 0.0, 0.0, -1.0], &mut dw);
    assert_eq!(dw, [-4.0; 4]);
}

#[test]
fn a_window_that_does_not_fit_has_no_output() {
    let geometry = square([1, 1, 1], 2, [3, 1, 0, 1, 1]);
    assert_eq!((geometry.checked_output(), geometry.output()), (None, [0, 0]));
    assert_eq!(Conv2d { padding: [1, 1], ..geometry }.checked_output(), Some([2, 2]));
}

#[test]
#[should_panic(expected = "the input has another length")]
fn a_wrong_length_panics() {
    forward(&square([1, 1, 1], 3, [2, 1, 0, 1, 1]), &[0.0f32; 8], &[0.0; 4], Epilogue::plain(), &mut [0.0; 4]);
}

#[test]
#[should_panic(expected = "a size is too large")]
fn places_do_not_wrap_around() {
    square([1, 1, 1], 3, [2, 1, usize::MAX / 2, 1, 1]).output();
}

/// The bits of the three passes.
#[cfg(feature = "rayon")]
fn bits(geometry: &Conv2d) -> Vec<u32> {
    let mut rng = SmallRng::seed_from_u64(3);
    let (x, w, g) = (
        random::<f32>(&mut rng, geometry.input_len()),
        random(&mut rng, geometry.weight_len()),
        random(&mut rng, geometry.output_len()),
    );
    let (mut y, mut dx, mut dw) = (g.clone(), x.clone(), w.clone());
    forward(geometry, &x, &w, Epilogue::plain(), &mut y);
    input_grad(geometry, &g, &w, &mut dx);
    weight_grad(geometry, &x, &g, &mut dw);
    [y, dx, dw].iter().flatten().map(|v| v.to_bits()).collect()
}

#[cfg(feature = "rayon")]
#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let mut geometries = special();
    geometries.push(square([5, 64, 64], 32, [3, 1, 1, 1, 1]));
    geometries.push(square([16, 1, 32], 28, [3, 1, 0, 1, 1]));
    geometries.push(square([8, 16, 24], 32, [5, 2, 1, 1, 1]));
    geometries.push(square([20, 8, 16], 14, [3, 2, 1, 1, 2]));
    for geometry in geometries {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
            pool.install(|| bits(&geometry))
        };
        let one = run(1);
        assert!(one == run(2) && one == run(3), "{geometry:?} depends on the number of threads");
    }
}
