//! How fast the elementary functions are: nanoseconds per element of a block in the first-level cache, at every
//! SIMD level of the machine, beside a loop over the standard library's function.
//!
//! `cargo run --release -p chainrule-kernels --example math_rate`

use chainrule_kernels::map::Unary;
use chainrule_kernels::{math, simd, unary};
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

/// A function's rates for one number type, beside the standard library's.
macro_rules! row {
    ($t:ident, $block:ident, $name:literal, $f:expr, $standard:expr) => {
        // Small and large arguments of both signs; logarithms see what they are made for.
        let least = if $name.starts_with("ln") { 0.001 } else { -10.0 };
        let x: Vec<$t> = (0..BLOCK).map(|i| least + ((i * 7919) % 4001) as $t / 200.0).collect();
        let mut y = vec![0.0; BLOCK];
        let library = rate(|| black_box(&x).iter().zip(&mut y).for_each(|(&x, y)| *y = $standard(x)));
        print!("{:10} {} {library:8.3}", $name, stringify!($t));
        for &level in simd::available() {
            let ours = rate(|| $f.$block(level, black_box(&x), black_box(&mut y)));
            print!("   {ours:8.3} ({:5.1}x)", library / ours);
        }
        println!();
    };
}

macro_rules! rows {
    ($t:ident, $block:ident) => {
        row!($t, $block, "exp", Exp {}, $t::exp);
        row!($t, $block, "exp_normal", ExpNormal {}, $t::exp);
        row!($t, $block, "exp_m1", ExpM1 {}, $t::exp_m1);
        row!($t, $block, "ln", Ln {}, $t::ln);
        row!($t, $block, "ln_1p", Ln1p {}, $t::ln_1p);
        row!($t, $block, "tanh", Tanh {}, $t::tanh);
        row!($t, $block, "sigmoid", Sigmoid {}, |x: $t| 1.0 / (1.0 + (-x).exp()));
        // The standard library has no error function: ours, one by one.
        row!($t, $block, "erf", Erf {}, math::$t::erf::<$t>);
    };
}

fn main() {
    print!("ns             library ");
    simd::available().iter().for_each(|level| print!("   {:>16}", level.name()));
    println!();
    rows!(f32, block_f32);
    rows!(f64, block_f64);
}
