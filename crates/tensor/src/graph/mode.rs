//! What the current thread records: [`no_grad`] and [`detect_anomaly`].

use std::cell::Cell;

thread_local! {
    static GRAD: Cell<bool> = const { Cell::new(true) };
    static ANOMALY: Cell<bool> = const { Cell::new(false) };
}

/// Sets a flag for the time of a call, also if the call panics.
fn with_flag<R>(flag: &'static std::thread::LocalKey<Cell<bool>>, value: bool, call: impl FnOnce() -> R) -> R {
    struct Restore(&'static std::thread::LocalKey<Cell<bool>>, bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            self.0.set(self.1);
        }
    }
    let _restore = Restore(flag, flag.replace(value));
    call()
}

/// Runs `call` without recording a graph on this thread: results are untracked, and nothing is saved for backward.
pub fn no_grad<R>(call: impl FnOnce() -> R) -> R {
    with_flag(&GRAD, false, call)
}

/// Runs `call` with recording on: what a checkpoint runs again inside a backward pass is recorded, whatever that pass is.
pub(super) fn enable_grad<R>(call: impl FnOnce() -> R) -> R {
    with_flag(&GRAD, true, call)
}

/// Whether operations on this thread are recorded: true outside [`no_grad`].
pub fn is_grad_enabled() -> bool {
    GRAD.get()
}

/// Runs `call` in anomaly mode: the first operation whose value or gradient holds a NaN panics, naming the operation and
/// the caller's line. Slower: every result is read once more.
///
/// ```should_panic
/// use chainrule_tensor::{Tensor, detect_anomaly};
/// detect_anomaly(|| Tensor::from([-1.0f32]).sqrt()); // sqrt, called at src/..: NaN in its value
/// ```
pub fn detect_anomaly<R>(call: impl FnOnce() -> R) -> R {
    with_flag(&ANOMALY, true, call)
}

pub(crate) fn is_anomaly_mode() -> bool {
    ANOMALY.get()
}

/// Runs a backward pass: recorded or not, and without checks of the values inside rules. What a rule returns is checked
/// instead, so that the operation is named whose rule it is.
pub(crate) fn in_backward<R>(recorded: bool, call: impl FnOnce() -> R) -> R {
    with_flag(&GRAD, recorded, || with_flag(&ANOMALY, false, call))
}
