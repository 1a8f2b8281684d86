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
mod extremum;
mod gate;
mod heads;
mod labels;
mod operators;
mod pooling;
mod recurrent;
mod reduction;
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
    amax,
    amin,
    avg_pool1d,
    avg_pool2d,
    batch_norm,
    bce_loss,
    bce_with_logits,
    bilinear,
    broadcast_to,
    cat,
    clamp,
    conv1d,
    conv2d,
    conv_transpose1d,
    conv_transpose2d,
    cos,
    cosine_embedding_loss,
    cosine_similarity,
    cross_entropy,
    ctc_loss,
    cumprod,
    cumsum,
    diagonal,
    div,
    dot,
    dropout,
    einsum,
    elu,
    embedding,
    erf,
    exp,
    expm1,
    flip,
    floor,
    gather,
    gaussian_nll_loss,
    gelu,
    gelu_tanh,
    group_norm,
    gru,
    hardsigmoid,
    hardswish,
    hardtanh,
    hinge_embedding_loss,
    huber_loss,
    index_add,
    index_select,
    instance_norm,
    interpolate,
    kl_div,
    l1_loss,
    layer_norm,
    leaky_relu,
    linear,
    log,
    log1p,
    log_softmax,
    logsigmoid,
    logsumexp,
    lstm,
    margin_ranking_loss,
    masked_fill,
    matmul,
    max,
    max_pool1d,
    max_pool2d,
    maximum,
    mean,
    min,
    minimum,
    mish,
    mse_loss,
    mul,
    neg,
    nll_loss,
    norm,
    one_hot,
    outer,
    pad,
    pairwise_distance,
    permute,
    pixel_shuffle,
    poisson_nll_loss,
    pow,
    powf,
    prelu,
    prod,
    reciprocal,
    relu,
    repeat,
    reshape,
    rms_norm,
    rnn,
    roll,
    rsqrt,
    scaled_dot_product_attention,
    scatter_add,
    sigmoid,
    sign,
    silu,
    sin,
    slice,
    smooth_l1_loss,
    softmax,
    softplus,
    softsign,
    sort,
    split,
    sqrt,
    square,
    stack,
    std,
    sub,
    sum,
    tanh,
    topk,
    tril,
    triplet_margin_loss,
    triu,
    var,
    where_,
}

pub use bce_loss::BceLoss;
pub use bce_with_logits::BceWithLogitsLoss;
pub use convolution::{
    Conv1dOptions, Conv2dOptions, ConvOptions, ConvTranspose1dOptions, ConvTranspose2dOptions, ConvTransposeOptions,
};
pub use cosine_embedding_loss::CosineEmbeddingLoss;
pub use cross_entropy::{ClassTarget, CrossEntropyLoss};
pub use ctc_loss::CtcLoss;
pub use gaussian_nll_loss::GaussianNllLoss;
pub use hinge_embedding_loss::HingeEmbeddingLoss;
pub use huber_loss::HuberLoss;
pub use interpolate::{Interpolation, Resize};
pub use kl_div::KlDivLoss;
pub use l1_loss::L1Loss;
pub use margin_ranking_loss::MarginRankingLoss;
pub use mse_loss::MseLoss;
pub use nll_loss::NllLoss;
pub use pad::PadMode;
pub use poisson_nll_loss::PoissonNllLoss;
pub use pooling::{AvgPoolOptions, PoolOptions};
pub use recurrent::{RecurrentWeights, Steps};
pub use reduction::Reduction;
pub use rnn::RnnActivation;
pub use scaled_dot_product_attention::{AttentionMask, AttentionOptions};
pub use smooth_l1_loss::SmoothL1Loss;
pub(crate) use sum::reduce_dims;
pub use triplet_margin_loss::TripletMarginLoss;
