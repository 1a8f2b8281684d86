//! The operations: one file each, always in the same order.
//!
//! 1. The header: equation, derivative, shapes, source.
//! 2. `INFO`: the same for pictures and messages.
//! 3. What is saved for the backward pass: a named struct.
//! 4. The backward rule, written with tensor operations, so that it can be differentiated again.
//! 5. The forward pass: a method of [`Tensor`](crate::Tensor).
//! 6. Tests: a worked example, gradient checks over memory layouts, the shape error.
//!
//! In a derivative, `x'` stands for the gradient of the loss with respect to `x`.

pub(crate) mod elementwise;
mod operators;
mod recurrent;

#[cfg(test)]
pub(crate) mod check;

/// Declares the operations' modules and collects what is known of them.
macro_rules! operations {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*
        /// All operations, in alphabetical order.
        pub static ALL: &[&crate::OpInfo] = &[$(&$module::INFO),*];
        /// The files of [`ALL`], without their endings.
        pub static FILES: &[&str] = &[$(stringify!($module)),*];
    };
}

operations! {
    abs,
    add,
    avg_pool2d,
    batch_norm,
    bce_with_logits,
    broadcast_to,
    cat,
    conv2d,
    cross_entropy,
    div,
    dropout,
    embedding,
    erf,
    exp,
    gelu,
    gru,
    layer_norm,
    linear,
    log,
    log_softmax,
    lstm,
    matmul,
    max_pool2d,
    mean,
    mse_loss,
    mul,
    neg,
    permute,
    pow,
    relu,
    reshape,
    rms_norm,
    rnn,
    sigmoid,
    slice,
    softmax,
    sqrt,
    sub,
    sum,
    tanh,
    where_,
}

pub use avg_pool2d::AvgPoolOptions;
pub use conv2d::Conv2dOptions;
pub use max_pool2d::PoolOptions;
pub use recurrent::{RecurrentWeights, Steps};
pub use rnn::RnnActivation;
