//! What the benches share: short measurements on pinned threads, and numbers to compute with.

use chainrule_benches::machine;
use criterion::Criterion;
use std::time::Duration;

/// Runs benches inside a pool of one pinned thread per core. Each measurement takes about a second: all of them together
/// stay within minutes.
pub fn run(benches: fn(&mut Criterion)) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    machine::pinned_pool(threads).install(|| {
        let mut criterion = Criterion::default()
            .sample_size(20)
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_millis(800))
            .configure_from_args();
        benches(&mut criterion);
        criterion.final_summary();
    });
}

/// Numbers between -1 and 1, the same ones every time.
#[allow(dead_code, reason = "not every bench computes on plain slices")]
pub fn numbers(len: usize) -> Vec<f32> {
    (0..len as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
}
