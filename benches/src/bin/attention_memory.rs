//! Forward and backward through attention over longer and longer sequences: the memory grows as the length does, not as
//! its square.
//!
//! `cargo run --release -p chainrule-benches --bin attention_memory -- [LENGTH ..]`
//!
//! Each length runs in a process of its own: 4 heads of 64 features, causal.

use chainrule_benches::machine::peak_memory_mb;
use chainrule_tensor::ops::AttentionOptions;
use chainrule_tensor::{Rng, Tensor};
use std::time::Instant;

const HEADS: usize = 4;
const FEATURES: usize = 64;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [one, length] if one == "--one" => measure(length.parse().expect("a length")),
        _ => {
            let lengths: Vec<String> = if arguments.is_empty() {
                (10..=14).map(|power| (1usize << power).to_string()).collect()
            } else {
                arguments
            };
            println!(
                "| length | peak memory (MB) | all weights would take (MB) | forward and backward (ms) |\n|---|---|---|---|"
            );
            let program = std::env::current_exe().expect("this program");
            for length in lengths {
                let status = std::process::Command::new(&program).args(["--one", &length]).status();
                assert!(status.is_ok_and(|status| status.success()), "a length is a number");
            }
        }
    }
}

fn measure(length: usize) {
    let mut rng = Rng::seed_from_u64(1);
    let [q, k, v] = [(); 3].map(|()| Tensor::<f32>::randn([1, HEADS, length, FEATURES], &mut rng).requires_grad());
    let step = || {
        let options = AttentionOptions { is_causal: true, ..Default::default() };
        q.scaled_dot_product_attention(&k, &v, options).sum().backward();
    };
    step();
    let start = Instant::now();
    step();
    let time = start.elapsed().as_secs_f64() * 1e3;
    let weights = (HEADS * length * length * size_of::<f32>()) as f64 / 1e6;
    let peak = peak_memory_mb().map_or("?".into(), |mb| format!("{mb:.0}"));
    println!("| {length} | {peak} | {weights:.0} | {time:.0} |");
}
