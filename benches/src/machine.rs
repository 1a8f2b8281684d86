//! The machine: threads pinned to cores, the peak rate of multiply-adds, the memory of this process.
//!
//! A virtual machine's scheduler may put two busy threads on one core while the other idles. So every thread of the pool
//! is bound to a core of its own, and the measured work starts inside the pool: then the main thread is no third one.

use chainrule_kernels::{peak, simd};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::time::Instant;

/// A pool of `threads` threads, each bound to one core where the system allows that.
///
/// # Panics
/// If the threads cannot be started.
pub fn pinned_pool(threads: usize) -> ThreadPool {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let pin = move |thread: usize| {
        if !cores.is_empty() {
            core_affinity::set_for_current(cores[thread % cores.len()]);
        }
    };
    ThreadPoolBuilder::new().num_threads(threads).start_handler(pin).build().expect("threads can be started")
}

/// The peak rate of `f32` multiply-adds in GFLOP/s over all threads of the current pool: the best of several tries.
///
/// More threads than cores share the cores, which the rate then shows.
pub fn peak_gflops() -> f64 {
    const ROUNDS: usize = 500_000;
    let once = || {
        let start = Instant::now();
        let flops: f64 = rayon::broadcast(|_| peak::multiply_adds(simd::level(), ROUNDS)).iter().sum();
        flops / start.elapsed().as_secs_f64() / 1e9
    };
    (0..20).map(|_| once()).fold(0.0, f64::max)
}

/// The most memory that this process has had in use so far, in MB (10^6 bytes); `None` where the system does not say.
pub fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
