//! Pooling against its definition over random geometries, PyTorch's corner cases, and threads.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;

/// The elements of a window that lie in the image, in order.
fn window(geometry: &Pool2d, i: usize, j: usize) -> Vec<usize> {
    let mut places = Vec::new();
    for u in 0..geometry.kernel[0] {
        for v in 0..geometry.kernel[1] {
            let a = (i * geometry.stride[0] + u * geometry.dilation[0]).checked_sub(geometry.padding[0]);
            let b = (j * geometry.stride[1] + v * geometry.dilation[1]).checked_sub(geometry.padding[1]);
            if let (Some(a), Some(b)) = (a, b)
                && a < geometry.input[0]
                && b < geometry.input[1]
            {
                places.push(a * geometry.input[1] + b);
            }
        }
    }
    places
}

/// The divisor of a mean.
fn divisor(geometry: &Pool2d, i: usize, j: usize) -> usize {
    if !geometry.count_include_pad {
        return window(geometry, i, j).len();
    }
    let along = |d: usize, index: usize| {
        let start = index * geometry.stride[d];
        (start..start + geometry.kernel[d]).filter(|&at| at < geometry.input[d] + 2 * geometry.padding[d]).count()
    };
    along(0, i) * along(1, j)
}

/// Calls `visit(plane, output index, i, j)` for each output.
fn each(geometry: &Pool2d, mut visit: impl FnMut(usize, usize, usize, usize)) {
    let [height, width] = geometry.output();
    for plane in 0..geometry.planes {
        for (i, j) in (0..height).flat_map(|i| (0..width).map(move |j| (i, j))) {
            visit(plane, (plane * height + i) * width + j, i, j);
        }
    }
}

fn any(rng: &mut SmallRng) -> Pool2d {
    let mut pair = |low: usize, high: usize| [rng.random_range(low..=high), rng.random_range(low..=high)];
    // Windows that reach further than a byte counts are among them.
    let (input, kernel, stride, dilation) = (pair(1, 40), pair(1, 4), pair(1, 4), pair(1, 3));
    let padding = kernel.map(|k| rng.random_range(0..=k / 2));
    let (ceil_mode, count_include_pad) = (rng.random_bool(0.5), rng.random_bool(0.5));
    // Enough planes for a register, or not.
    let planes = rng.random_range(0..=5) * rng.random_range(1..=7);
    Pool2d { planes, input, kernel, stride, padding, dilation, ceil_mode, count_include_pad, divisor: None }
}

#[test]
fn maxima_of_planes_side_by_side_are_those_of_rows() {
    let mut rng = SmallRng::seed_from_u64(7);
    for case in 0..400 {
        let mut geometry = Pool2d { planes: rng.random_range(1..50), ..any(&mut rng) };
        if case % 2 == 0 {
            // Whole planes.
            let input = geometry.input.map(|size| if case % 4 == 0 { size % 9 + 1 } else { size });
            geometry = Pool2d { planes: geometry.planes, input, kernel: input, ..TWO };
        }
        let numbers = [f32::NAN, -0.0, 0.0, 1.0, -f32::INFINITY];
        let x: Vec<f32> = (0..geometry.input_len()).map(|_| numbers[rng.random_range(0..5)]).collect();
        let mut y = vec![7.0; geometry.output_len()];
        if y.is_empty() {
            continue;
        }
        let argmax = max_forward(&geometry, &x, &mut y).indices(geometry.planes);
        let (mut expected, mut places) = (y.clone(), Buffer::unspecified(y.len()));
        simd::dispatch(Max(&geometry, &x, &mut expected, &mut places));
        assert!(
            argmax == Places::in_windows(&geometry, places).indices(geometry.planes)
                && y.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()),
            "{geometry:?}"
        );
    }
}

#[test]
fn maxima_agree_with_the_definition() {
    let mut rng = SmallRng::seed_from_u64(1);
    for _ in 0..500 {
        let geometry = any(&mut rng);
        // Few values: many ties.
        let x: Vec<f32> = (0..geometry.input_len()).map(|_| rng.random_range(0..4) as f32).collect();
        let size = geometry.input[0] * geometry.input[1];
        let mut y = vec![f32::NAN; geometry.output_len()];
        let places = max_forward(&geometry, &x, &mut y);
        let argmax = places.indices(geometry.planes);
        let g: Vec<f32> = (0..y.len()).map(|i| i as f32).collect();
        let (mut dx, mut expected) = (vec![f32::NAN; x.len()], vec![0.0; x.len()]);
        let mut gathered = vec![f32::NAN; y.len()];
        gather(geometry.planes, &x, &places, &mut gathered);
        each(&geometry, |plane, at, i, j| {
            let x = &x[plane * size..];
            let mut best = None;
            for place in window(&geometry, i, j) {
                if best.is_none_or(|b| x[place] > x[b]) {
                    best = Some(place);
                }
            }
            match best {
                Some(place) => {
                    assert_eq!((y[at], argmax[at]), (x[place], place), "{geometry:?}");
                    assert_eq!(gathered[at], x[place]);
                    expected[plane * size + place] += g[at];
                }
                None => assert_eq!((y[at], argmax[at], gathered[at]), (f32::NEG_INFINITY, usize::MAX, 0.0)),
            }
        });
        scatter(geometry.planes, &g, &places, &mut dx);
        assert_eq!(dx, expected, "{geometry:?}");
    }
}

#[test]
fn means_agree_with_the_definition() {
    let mut rng = SmallRng::seed_from_u64(2);
    for case in 0..500 {
        let mut geometry = Pool2d { dilation: [1, 1], ..any(&mut rng) };
        if case % 4 == 0 {
            // Whole planes.
            geometry = Pool2d { planes: rng.random_range(1..40), kernel: geometry.input, padding: [0, 0], ..geometry };
        }
        let x: Vec<f64> = (0..geometry.input_len()).map(|_| rng.random_range(-1.0..1.0)).collect();
        let g: Vec<f64> = (0..geometry.output_len()).map(|_| rng.random_range(-1.0..1.0)).collect();
        let size = geometry.input[0] * geometry.input[1];
        let (mut y, mut dx) = (vec![f64::NAN; g.len()], vec![f64::NAN; x.len()]);
        avg_forward(&geometry, &x, &mut y);
        avg_backward(&geometry, &g, &mut dx);
        let mut expected = vec![0.0; x.len()];
        each(&geometry, |plane, at, i, j| {
            let (places, divisor) = (window(&geometry, i, j), divisor(&geometry, i, j).max(1) as f64);
            let mean = places.iter().map(|p| x[plane * size + p]).sum::<f64>() / divisor;
            assert!((y[at] - mean).abs() < 1e-14, "{geometry:?}: {} instead of {mean}", y[at]);
            places.iter().for_each(|p| expected[plane * size + p] += g[at] / divisor);
        });
        assert!(dx.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-14), "{geometry:?}");
    }
}

const TWO: Pool2d = Pool2d {
    planes: 1,
    input: [2, 4],
    kernel: [2, 2],
    stride: [2, 2],
    padding: [0, 0],
    dilation: [1, 1],
    ceil_mode: false,
    count_include_pad: true,
    divisor: None,
};

#[test]
fn nan_and_infinities_follow_pytorch() {
    let (nan, low) = (f32::NAN, f32::NEG_INFINITY);
    let mut y = [0.0; 2];
    let places = max_forward(&TWO, &[1.0, nan, low, low, 9.0, 3.0, low, low], &mut y);
    assert!(y[0].is_nan());
    assert_eq!((y[1], places.indices(1)), (low, vec![1, 2]));
}

#[test]
fn ceil_mode_never_starts_in_the_right_padding() {
    let sizes = |input: usize, padding: usize, ceil_mode: bool| {
        let geometry = Pool2d { input: [input; 2], padding: [padding; 2], ceil_mode, ..TWO };
        geometry.output()[0]
    };
    assert_eq!((sizes(5, 0, false), sizes(5, 0, true)), (2, 3));
    // A fourth window would start at 5, in the padding of an image of 5.
    assert_eq!((sizes(5, 1, false), sizes(5, 1, true)), (3, 3));
    assert_eq!(Pool2d { input: [1, 1], ..TWO }.checked_output(), None);
}

#[cfg(feature = "rayon")]
#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let geometry = Pool2d { planes: 300, input: [24, 24], kernel: [3, 3], padding: [1, 1], ..TWO };
    let mut rng = SmallRng::seed_from_u64(3);
    let x: Vec<f32> = (0..geometry.input_len()).map(|_| rng.random_range(-1.0..1.0)).collect();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        pool.install(|| {
            let mut y = vec![0.0; geometry.output_len()];
            let (mut mean, mut dx, mut dmean) = (y.clone(), vec![0.0; x.len()], vec![0.0; x.len()]);
            let places = max_forward(&geometry, &x, &mut y);
            scatter(geometry.planes, &y, &places, &mut dx);
            avg_forward(&geometry, &x, &mut mean);
            avg_backward(&geometry, &mean, &mut dmean);
            (y, places.indices(geometry.planes), mean, dx, dmean)
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(3));
}

#[test]
#[should_panic(expected = "pooling with a size that is too large")]
fn padding_does_not_wrap() {
    Pool2d { planes: 1, input: [4, 4], padding: [usize::MAX / 2 + 1, 0], ..TWO }.output();
}
