//! Timing: a few steps to warm up, then the median and the shortest of many.

use crate::workload::Task;
use std::time::{Duration, Instant};

/// Steps before the clock starts: caches, recycled memory and the branch predictor settle.
pub const WARM_UP: usize = 5;
/// Steps that are always timed, however long they take.
const AT_LEAST: usize = 20;
/// Steps after which even the shortest workload has a sound median.
const AT_MOST: usize = 200_000;

/// What was measured of a workload.
#[derive(Clone, Debug)]
pub struct Times {
    /// The median time of a step, in milliseconds.
    pub median_ms: f64,
    /// The shortest time of a step, in milliseconds.
    pub min_ms: f64,
    /// The losses of the warm-up steps: engines that compute the same agree on them.
    pub losses: Vec<f32>,
}

/// Reads a number of seconds to measure for, at most a day, from the command line.
pub fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "no number".to_string())?;
    if (0.0..=86_400.0).contains(&seconds) { Ok(seconds) } else { Err("not between 0 and 86400".into()) }
}

/// Times the steps of a task for at least `seconds` and 20 steps.
pub fn time(task: &mut Task, seconds: f64) -> Times {
    let losses = (0..WARM_UP).filter_map(|_| (task.step)()).collect();
    let length = Duration::from_secs_f64(seconds);
    let (begin, mut times) = (Instant::now(), Vec::new());
    while times.len() < AT_LEAST || (begin.elapsed() < length && times.len() < AT_MOST) {
        let start = Instant::now();
        std::hint::black_box((task.step)());
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Times { median_ms: times[times.len() / 2], min_ms: times[0], losses }
}
