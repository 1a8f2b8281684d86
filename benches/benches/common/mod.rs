//! What the benches share: short measurements on pinned threads.

use chainrule_benches::machine;
use criterion::Criterion;
use std::time::Duration;

/// Runs benches inside a pool of one pinned thread per core. Each measurement takes about a second: all of them together
/// stay within minutes.
pub(crate) fn run(benches: fn(&mut Criterion)) {
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
