//! Transcendental functions, written so that loops over them vectorize.
//!
//! Each states its largest error in ULP (units in the last place), and a test measures it.

pub mod elementary;
pub mod f32;
pub mod f64;
pub mod power;
pub mod trig;

#[cfg(test)]
mod ulp;
