//! Measures the three passes of convolution on the shapes of a small net and a residual net.
//!
//! `cargo run --release -p chainrule-kernels --example conv_rate [SECONDS] [NAME]` prints, for each shape and pass, the shortest
//! time in milliseconds and the rate in GFLOP/s, counted as a direct convolution. NAME selects shapes by a part of their name, or
//! is one: `"8x3->64 64^2 7x7 s2 p3 d1 g1"`.
//! `benches/conv_torch.py` runs it and puts PyTorch's times beside.

use std::hint::black_box;
use std::time::{Duration, Instant};

use chainrule_kernels::conv::{self, Conv2d, Epilogue};
use chainrule_kernels::pool::{self, Pool2d};

/// `batch, in, out, size, kernel, stride, padding, dilation, groups`.
const SHAPES: [[usize; 9]; 32] = [
    // A small net, and residual nets.
    [64, 1, 32, 28, 3, 1, 0, 1, 1],
    [64, 32, 64, 26, 3, 1, 0, 1, 1],
    [16, 3, 64, 32, 3, 1, 1, 1, 1],
    [16, 64, 64, 32, 3, 1, 1, 1, 1],
    [16, 128, 128, 16, 3, 1, 1, 1, 1],
    [16, 256, 256, 8, 3, 1, 1, 1, 1],
    [16, 512, 512, 4, 3, 1, 1, 1, 1],
    [16, 64, 256, 32, 1, 1, 0, 1, 1],
    [16, 64, 128, 32, 1, 2, 0, 1, 1],
    [16, 64, 128, 32, 3, 2, 1, 1, 1],
    [8, 64, 128, 56, 3, 2, 1, 1, 1],
    [8, 128, 256, 28, 3, 2, 1, 1, 1],
    [8, 256, 512, 14, 3, 2, 1, 1, 1],
    [1, 64, 128, 56, 3, 2, 1, 1, 1],
    [1, 128, 256, 28, 3, 2, 1, 1, 1],
    [1, 256, 512, 14, 3, 2, 1, 1, 1],
    // Odd sizes, few channels, a single tile.
    [8, 100, 100, 27, 3, 1, 1, 1, 1],
    [1, 17, 33, 31, 3, 1, 1, 1, 1],
    [8, 6, 64, 28, 3, 1, 1, 1, 1],
    [16, 64, 64, 5, 3, 1, 1, 1, 1],
    [1, 512, 512, 4, 3, 1, 1, 1, 1],
    // Stems, patches and wide windows.
    [8, 3, 64, 64, 7, 2, 3, 1, 1],
    [8, 3, 64, 224, 7, 2, 3, 1, 1],
    [8, 3, 768, 224, 16, 16, 0, 1, 1],
    [8, 32, 64, 27, 5, 1, 2, 1, 1],
    [64, 6, 16, 14, 5, 1, 0, 1, 1],
    // Groups and dilation.
    [8, 64, 64, 28, 3, 1, 2, 2, 1],
    [8, 64, 64, 28, 3, 1, 1, 1, 4],
    [8, 128, 128, 14, 3, 1, 1, 1, 4],
    [8, 64, 64, 28, 3, 2, 1, 1, 4],
    [8, 128, 128, 56, 3, 2, 1, 1, 32],
    [16, 64, 64, 32, 3, 1, 1, 1, 64],
];

/// The shortest time of `work`, in seconds: others may use the machine meanwhile.
fn fastest(seconds: f64, mut work: impl FnMut()) -> f64 {
    (0..3).for_each(|_| work());
    let (start, mut times) = (Instant::now(), Vec::new());
    while start.elapsed() < Duration::from_secs_f64(seconds) || times.len() < 5 {
        let begin = Instant::now();
        work();
        times.push(begin.elapsed().as_secs_f64());
    }
    times.into_iter().fold(f64::INFINITY, f64::min)
}

/// Numbers in -0.5..0.5.
fn numbers(len: usize) -> Vec<f32> {
    (0..len as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f32 / (1 << 24) as f32 - 0.5).collect()
}

/// The convolution that has this name.
fn named(name: &str) -> Option<[usize; 9]> {
    let numbers = name.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect::<Vec<_>>();
    let [batch, inputs, outputs, size, _, kernel, _, stride, padding, dilation, groups] = numbers[..] else {
        return None;
    };
    Some([batch, inputs, outputs, size, kernel, stride, padding, dilation, groups])
}

fn main() {
    let seconds = std::env::args().nth(1).map_or(0.3, |s| s.parse().expect("seconds as a number"));
    let filter = std::env::args().nth(2).unwrap_or_default();
    println!("{:<40}{:>20}{:>20}{:>20}", "ms, GFLOP/s", "forward", "input_grad", "weight_grad");
    let shapes = named(&filter).map_or(SHAPES.to_vec(), |shape| vec![shape]);
    for [batch, in_channels, out_channels, size, kernel, stride, padding, dilation, groups] in shapes {
        let twice = |n: usize| [n, n];
        let geometry = Conv2d {
            batch,
            in_channels,
            out_channels,
            input: twice(size),
            kernel: twice(kernel),
            stride: twice(stride),
            padding: twice(padding),
            dilation: twice(dilation),
            groups,
        };
        let name = format!(
            "{batch}x{in_channels}->{out_channels} {size}^2 {kernel}x{kernel} s{stride} p{padding} d{dilation} g{groups}"
        );
        if !name.contains(&filter) {
            continue;
        }
        let (x, w) = (numbers(geometry.input_len()), numbers(geometry.weight_len()));
        let (g, bias) = (numbers(geometry.output_len()), numbers(out_channels));
        let (mut y, mut dx, mut dw) = (g.clone(), x.clone(), w.clone());
        let flops = 2.0 * (geometry.output_len() * in_channels / groups * kernel * kernel) as f64;
        let epilogue = Epilogue { bias: Some(&bias), relu: false };
        let times = [
            fastest(seconds, || conv::forward(&geometry, &x, &w, epilogue, black_box(&mut y))),
            fastest(seconds, || conv::input_grad(&geometry, &g, &w, black_box(&mut dx))),
            fastest(seconds, || conv::weight_grad(&geometry, &x, &g, black_box(&mut dw))),
        ];
        print!("{name:<40}");
        times.iter().for_each(|time| print!("{:>12.3} {:>7.1}", time * 1e3, flops / time / 1e9));
        println!();
    }
    pools(seconds, &filter);
}

/// The pooling of the small net, 2x2 over 64 images of 64 channels, and of residual nets.
fn pools(seconds: f64, filter: &str) {
    println!("{:<40}{:>20}{:>20}{:>20}{:>20}", "pooling, ms", "maximum", "its gradient", "mean", "its gradient");
    for shape in [[24, 2, 2, 0], [14, 3, 2, 1], [7, 3, 2, 0], [112, 3, 2, 1], [7, 7, 1, 0]] {
        let [size, kernel, stride, padding] = shape;
        let planes = if size > 100 { 256 } else { 4096 };
        let name = format!("{planes} planes {size}^2 {kernel}x{kernel} s{stride} p{padding}");
        if name.contains(filter) {
            pool_of(shape, planes, &name, seconds);
        }
    }
}

fn pool_of([size, kernel, stride, padding]: [usize; 4], planes: usize, name: &str, seconds: f64) {
    let geometry = Pool2d {
        planes,
        input: [size; 2],
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [padding; 2],
        dilation: [1, 1],
        ceil_mode: false,
        count_include_pad: true,
        divisor: None,
    };
    let (x, g) = (numbers(geometry.input_len()), numbers(geometry.output_len()));
    let (mut y, mut dx) = (g.clone(), x.clone());
    let times = [
        fastest(seconds, || _ = pool::max_forward(&geometry, &x, black_box(&mut y))),
        fastest(seconds, || pool::avg_forward(&geometry, &x, black_box(&mut y))),
        fastest(seconds, || pool::avg_backward(&geometry, &g, black_box(&mut dx))),
    ];
    let places = pool::max_forward(&geometry, &x, &mut y);
    let back = 1e3 * fastest(seconds, || pool::scatter(geometry.planes, &g, &places, black_box(&mut dx)));
    let [max, mean, mean_back] = times.map(|time| 1e3 * time);
    println!("{name:<40}{max:>20.3}{back:>20.3}{mean:>20.3}{mean_back:>20.3}");
}
