//! Measures matrix products: `cargo run --release --example gemm_rate [threads] [f32|f64] [MxKxN ...]`.
//!
//! Prints the median GFLOP/s (and the best) of each shape; a `t` behind a shape transposes `b`, a `T` transposes `a`. Threads
//! that move between cores blur the numbers: keep them on as many as they are, on Linux with `taskset -c 0,1` before the
//! command for two.

use std::time::{Duration, Instant};

use chainrule_kernels::gemm::{Epilogue, Mat, gemm};
use chainrule_kernels::{Accum, Buffer, Real};

const SHAPES: &str = "64x64x64 128x128x128 256x256x256 512x512x512 1024x1024x1024 2048x2048x2048 64x784x512 1024x512x256 \
    32x256x1024 64x784x512t 1024x512x256t 32x256x1024t 512x64x784T 1x784x512 1x784x512t 512x784x1 32x2x16 32x16x1 64x256x10 \
    64x256x10t 64x9216x128t 128x64x9216T";

/// Seconds of one call: the median and the least of batches that last about 2 ms, for 0.4 s.
fn time(mut work: impl FnMut()) -> (f64, f64) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(100) {
        work();
    }
    let start = Instant::now();
    work();
    let repeat = (2e-3 / start.elapsed().as_secs_f64().max(1e-8)).ceil().min(1e5) as u32;
    let begin = Instant::now();
    let mut times = Vec::new();
    while begin.elapsed() < Duration::from_millis(400) || times.len() < 5 {
        let start = Instant::now();
        (0..repeat).for_each(|_| work());
        times.push(start.elapsed().as_secs_f64() / f64::from(repeat));
    }
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[0])
}

fn measure<T: Real>(shape: &str) {
    let sides: Vec<usize> = shape.trim_end_matches(['t', 'T']).split('x').map(|s| s.parse().expect("MxKxN")).collect();
    let [m, k, n] = sides[..] else { panic!("a shape is MxKxN") };
    let numbers =
        |len| Buffer::from_slice(&(0..len).map(|i| T::from_f64((i % 17) as f64 / 8.0 - 1.0)).collect::<Vec<T>>());
    let (a, b, mut c) = (numbers(m * k), numbers(k * n), numbers(m * n));
    let a = if shape.ends_with('T') { Mat::row_major(&a, k, m).t() } else { Mat::row_major(&a, m, k) };
    let b = if shape.ends_with('t') { Mat::row_major(&b, n, k).t() } else { Mat::row_major(&b, k, n) };
    let (median, least) = time(|| gemm(a, b, std::hint::black_box(&mut c), Epilogue::plain(Accum::Replace)));
    let rate = |seconds: f64| (2 * m * k * n) as f64 / seconds / 1e9;
    println!("{shape:>16} {:8.1} GFLOP/s ({:6.1})  {:10.3} us", rate(median), rate(least), median * 1e6);
}

fn main() {
    let mut args = std::env::args().skip(1);
    let threads: usize = args.next().map_or(1, |s| s.parse().expect("a number of threads"));
    let double = args.next().is_some_and(|s| s == "f64");
    let shapes: Vec<String> = args.collect();
    let shapes = if shapes.is_empty() { SHAPES.split_whitespace().map(str::to_owned).collect() } else { shapes };
    let run = move || shapes.iter().for_each(|s| if double { measure::<f64>(s) } else { measure::<f32>(s) });
    #[cfg(feature = "rayon")]
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads").install(run);
    #[cfg(not(feature = "rayon"))]
    {
        assert_eq!(threads, 1, "without the feature `rayon` there is one thread");
        run();
    }
}
