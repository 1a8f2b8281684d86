//! How fast the single-precision functions are: nanoseconds per element of a block in the first-level cache, at every
//! SIMD level of the machine, beside a loop over the standard library's function.
//!
//! `cargo run --release -p chainrule-kernels --example math_rate`

use chainrule_kernels::map::Unary;
use chainrule_kernels::{simd, unary};
use std::hint::black_box;
use std::time::Instant;

unary!(Exp(self, x: T) = x.exp());
unary!(ExpNormal(self, x: T) = x.exp_normal());
unary!(ExpM1(self, x: T) = x.exp_m1());
unary!(Ln(self, x: T) = x.ln());
unary!(Ln1p(self, x: T) = x.ln_1p());
unary!(Tanh(self, x: T) = x.tanh());
unary!(Sigmoid(self, x: T) = x.sigmoid());
unary!(Erf(self, x: T) = x.erf());

/// Elements in the block.
const BLOCK: usize = 2048;

/// Nanoseconds per element: the best of many runs.
fn rate(mut run: impl FnMut()) -> f64 {
    let time = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..100).for_each(|_| run());
        start.elapsed().as_nanos() as f64 / (100 * BLOCK) as f64
    };
    (0..20).map(|_| time(&mut run)).fold(f64::INFINITY, f64::min)
}

fn row<F: Unary>(name: &str, f: F, standard: fn(f32) -> f32) {
    // Small and large arguments of both signs; logarithms see what they are made for.
    let positive = name.starts_with("ln");
    let argument = |i: usize| ((i * 7919) % 4001) as f32 / 200.0 - if positive { 0.0 } else { 10.0 };
    let x: Vec<f32> = (0..BLOCK).map(|i| argument(i) + 0.001).collect();
    let mut y = vec![0.0; BLOCK];
    let library = rate(|| black_box(&x).iter().zip(&mut y).for_each(|(&x, y)| *y = standard(x)));
    print!("{name:10} {library:8.3}");
    for &level in simd::available() {
        let ours = rate(|| f.block_f32(level, black_box(&x), black_box(&mut y)));
        print!("   {ours:8.3} ({:5.1}x)", library / ours);
    }
    println!();
}

fn main() {
    print!("ns         library ");
    simd::available().iter().for_each(|level| print!("   {:>16}", level.name()));
    println!();
    row("exp", Exp {}, f32::exp);
    row("exp_normal", ExpNormal {}, f32::exp);
    row("exp_m1", ExpM1 {}, f32::exp_m1);
    row("ln", Ln {}, f32::ln);
    row("ln_1p", Ln1p {}, f32::ln_1p);
    row("tanh", Tanh {}, f32::tanh);
    row("sigmoid", Sigmoid {}, |x| 1.0 / (1.0 + (-x).exp()));
    // The standard library has no error function.
    row("erf", Erf {}, |x| chainrule_kernels::math::f64::erf::<f64>(f64::from(x)) as f32);
}
