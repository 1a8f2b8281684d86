//! Looks for products that are slow beside their neighbors: `cargo run --release --example odd_sizes [f32|f64] [FACTOR]`.
//!
//! Each shape is compared, per multiplication, with the one whose sides are the next multiples of 16. Prints those that reach less
//! than 0.7 (or `FACTOR`) of its rate.

use std::collections::HashMap;
use std::time::Instant;

use chainrule_kernels::gemm::{Epilogue, Mat, gemm};
use chainrule_kernels::{Accum, Buffer, Real};

/// Sides (m, k, n), and whether the factors are transposed.
type Shape = ([usize; 3], [bool; 2]);

/// Seconds of one call: the lower quartile of short runs.
fn time(mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    work();
    let once = start.elapsed().as_secs_f64().max(1e-7);
    let repeat = (4e-5 / once).ceil() as u32;
    (0..4 * repeat).for_each(|_| work());
    let mut times: Vec<f64> = (0..15)
        .map(|_| {
            let start = Instant::now();
            (0..repeat).for_each(|_| work());
            start.elapsed().as_secs_f64() / f64::from(repeat)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 4]
}

/// Multiplications and additions in a nanosecond.
fn rate<T: Real>(([m, k, n], turned): Shape) -> f64 {
    let numbers =
        |len| Buffer::from_slice(&(0..len).map(|i| T::from_f64((i % 17) as f64 / 8.0 - 1.0)).collect::<Vec<T>>());
    let (a, b, mut c) = (numbers(m * k), numbers(k * n), numbers(m * n));
    let a = if turned[0] { Mat::row_major(&a, k, m).t() } else { Mat::row_major(&a, m, k) };
    let b = if turned[1] { Mat::row_major(&b, n, k).t() } else { Mat::row_major(&b, k, n) };
    let seconds = time(|| gemm(a, b, std::hint::black_box(&mut c), Epilogue::plain(Accum::Replace)));
    (2 * m * k * n) as f64 / seconds / 1e9
}

fn sweep<T: Real>(least: f64) {
    let mut known: HashMap<(Shape, usize), f64> = HashMap::new();
    let mut rate = |shape: Shape, looks: usize| {
        *known.entry((shape, looks)).or_insert_with(|| (0..looks).map(|_| rate::<T>(shape)).fold(0.0, f64::max))
    };
    for turned in [[false, false], [false, true], [true, false], [true, true]] {
        for (what, sides) in
            [("n n n", [0, 0, 0]), ("n 64 64", [0, 64, 64]), ("64 n 64", [64, 0, 64]), ("64 64 n", [64, 64, 0])]
        {
            let mut slow = Vec::new();
            for n in 1..=80 {
                let at = |n: usize| (sides.map(|side| if side == 0 { n } else { side }), turned);
                // The best of a few looks: something else may have run during one.
                let (shape, round) = (at(n), at(n.next_multiple_of(16)));
                let mut ratio = rate(shape, 1) / rate(round, 4);
                if ratio < least {
                    ratio = rate(shape, 4) / rate(round, 4);
                }
                if ratio < least {
                    slow.push(format!("{n}: {ratio:.2}"));
                }
            }
            println!("m k n = {what}, transposed {turned:?}: {} of 80 [{}]", slow.len(), slow.join(", "));
        }
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let double = args.next().is_some_and(|s| s == "f64");
    let least = args.next().map_or(0.7, |s| s.parse().expect("a factor"));
    if double { sweep::<f64>(least) } else { sweep::<f32>(least) }
}
