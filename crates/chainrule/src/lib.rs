//! Chainrule: a deep-learning engine for CPUs, written from scratch.
//!
//! ```
//! use chainrule::prelude::*;
//!
//! let x = Tensor::from([1.0, 2.0]).requires_grad();
//! let y = (&x * &x).sum();
//! assert_eq!(y.backward().get(&x).unwrap().to_vec(), [2.0, 4.0]);
//! ```
//!
//! The crates behind this one, from the numbers up: [`kernels`], [`tensor`], [`layers`], [`optim`], [`data`], [`train`],
//! [`models`].

#![forbid(unsafe_code)]

pub use chainrule_data as data;
pub use chainrule_kernels as kernels;
pub use chainrule_layers as layers;
pub use chainrule_models as models;
pub use chainrule_optim as optim;
pub use chainrule_tensor as tensor;
pub use chainrule_tensor::ndarray;
pub use chainrule_train as train;

/// What most programs use.
pub mod prelude {
    pub use chainrule_data::{Dataset, Series, Standardizer, Vocabulary, digits, iris, wine};
    pub use chainrule_layers::*;
    pub use chainrule_models::{
        Architecture, Bert, BertConfig, BertInputs, Classifier, Forecaster, Gpt, GptConfig, LanguageModel, load_bert,
    };
    pub use chainrule_optim::*;
    pub use chainrule_tensor::ops::{
        AttentionMask, AttentionOptions, BceLoss, BceWithLogitsLoss, CosineEmbeddingLoss, CrossEntropyLoss, CtcLoss,
        GaussianNllLoss, HingeEmbeddingLoss, HuberLoss, Interpolation, KlDivLoss, L1Loss, MarginRankingLoss, MseLoss,
        NllLoss, PoissonNllLoss, Reduction, Resize, SmoothL1Loss, TripletMarginLoss,
    };
    pub use chainrule_tensor::{
        CreateGraph, FreeGraph, Gradients, Indices, KeepGraph, Mask, Real, Rng, Tensor, checkpoint, checkpoint_with,
        detect_anomaly, grad, gradcheck, gradgradcheck, no_grad,
    };
    pub use chainrule_train::{Confusion, evaluate, fit};
}
