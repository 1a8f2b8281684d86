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
mod gate;
mod operators;
mod pick;

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
    amax,
    amin,
    avg_pool2d,
    batch_norm,
    bce_with_logits,
    broadcast_to,
    cat,
    clamp,
    conv2d,
    cos,
    cross_entropy,
    div,
    dropout,
    elu,
    embedding,
    erf,
    exp,
    expm1,
    floor,
    gelu,
    gelu_tanh,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    layer_norm,
    linear,
    log,
    log1p,
    log_softmax,
    logsigmoid,
    logsumexp,
    matmul,
    max,
    max_pool2d,
    maximum,
    mean,
    min,
    minimum,
    mish,
    mse_loss,
    mul,
    neg,
    norm,
    permute,
    pow,
    powf,
    prelu,
    prod,
    reciprocal,
    relu,
    reshape,
    rsqrt,
    rms_norm,
    sigmoid,
    sign,
    silu,
    sin,
    slice,
    softmax,
    softplus,
    softsign,
    sqrt,
    square,
    std,
    sub,
    sum,
    tanh,
    var,
    where_,
}

pub use avg_pool2d::AvgPoolOptions;
pub use conv2d::Conv2dOptions;
pub use max_pool2d::PoolOptions;
