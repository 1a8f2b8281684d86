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

mod convolution;
pub(crate) mod elementwise;
mod operators;
mod pooling;
mod recurrent;
mod take;

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
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    add,
    avg_pool1d,
    avg_pool2d,
    batch_norm,
    bce_with_logits,
    bilinear,
    broadcast_to,
    cat,
    conv1d,
    conv2d,
    conv_transpose1d,
    conv_transpose2d,
    cross_entropy,
    cumprod,
    cumsum,
    diagonal,
    div,
    dot,
    dropout,
    einsum,
    embedding,
    erf,
    exp,
    flip,
    gather,
    gelu,
    group_norm,
    gru,
    index_add,
    index_select,
    instance_norm,
    interpolate,
    layer_norm,
    linear,
    log,
    log_softmax,
    lstm,
    masked_fill,
    matmul,
    max_pool1d,
    max_pool2d,
    mean,
    mse_loss,
    mul,
    neg,
    one_hot,
    outer,
    pad,
    permute,
    pixel_shuffle,
    pow,
    relu,
    repeat,
    reshape,
    rms_norm,
    rnn,
    roll,
    scaled_dot_product_attention,
    scatter_add,
    sigmoid,
    slice,
    softmax,
    sort,
    split,
    sqrt,
    stack,
    sub,
    sum,
    tanh,
    topk,
    tril,
    triu,
    where_,
}

pub use convolution::{
    Conv1dOptions, Conv2dOptions, ConvOptions, ConvTranspose1dOptions, ConvTranspose2dOptions, ConvTransposeOptions,
};
pub use interpolate::{Interpolation, Resize};
pub use pad::PadMode;
pub use pooling::{AvgPoolOptions, PoolOptions};
pub use recurrent::{RecurrentWeights, Steps};
pub use rnn::RnnActivation;
pub use scaled_dot_product_attention::{AttentionMask, AttentionOptions};
