//! The ranges of the settings: checked where a user writes them (a panic at that line) and where a file brings them (an
//! error).

use crate::OptimError;

/// What a setting may be.
pub(crate) type Range = fn(&'static str, f64) -> Result<(), OptimError>;

/// Finite and not negative: learning rates, decays, momentum.
pub(crate) fn not_negative(name: &'static str, value: f64) -> Result<(), OptimError> {
    hold(value.is_finite() && value >= 0.0, name, value, "must be finite and at least 0")
}

/// In `[0, 1)`: what an average keeps of its past.
pub(crate) fn fraction(name: &'static str, value: f64) -> Result<(), OptimError> {
    hold((0.0..1.0).contains(&value), name, value, "must be at least 0 and below 1")
}

/// In `[0, 1]`.
pub(crate) fn unit(name: &'static str, value: f64) -> Result<(), OptimError> {
    hold((0.0..=1.0).contains(&value), name, value, "must be at least 0 and at most 1")
}

/// Finite.
pub(crate) fn finite(name: &'static str, value: f64) -> Result<(), OptimError> {
    hold(value.is_finite(), name, value, "must be finite")
}

/// No or yes.
pub(crate) fn flag(name: &'static str, value: f64) -> Result<(), OptimError> {
    hold(value == 0.0 || value == 1.0, name, value, "must be 0 or 1")
}

/// A whole number that `f64` holds exactly.
pub(crate) fn count(name: &'static str, value: f64) -> Result<(), OptimError> {
    let whole = value.trunc() == value && (0.0..=9e15).contains(&value);
    hold(whole, name, value, "must be a whole number and at least 0")
}

/// A whole number from 1 on.
pub(crate) fn positive(name: &'static str, value: f64) -> Result<(), OptimError> {
    hold(count(name, value).is_ok() && value >= 1.0, name, value, "must be a whole number and at least 1")
}

pub(crate) fn hold(holds: bool, name: &'static str, value: f64, rule: &'static str) -> Result<(), OptimError> {
    if holds { Ok(()) } else { Err(OptimError::Option { name, value, rule }) }
}

/// Panics at the caller's line if a rule is broken.
#[track_caller]
pub(crate) fn demand(optimizer: &str, rule: Result<(), OptimError>) {
    if let Err(broken) = rule {
        panic!("{optimizer}: {broken}");
    }
}
