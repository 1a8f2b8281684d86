//! Layers: parameters with a forward pass.
//!
//! * [`Module`] names the parameters of a layer or net; `#[derive(Module)]` writes it.
//! * [`Layer`] is a module that maps one tensor to another; [`Sequential`] chains them.
//! * [`StateDict`] holds a module's values by name; [`save_safetensors`] and [`load_safetensors`] carry it to files and back.
//! * [`Mode`] says whether a pass trains or evaluates, and carries the random numbers: there is no hidden state.
//!
//! One file per layer, each with its equation, shapes, parameters (named and shaped as in PyTorch) and initialization.
//!
//! ```
//! use chainrule_layers::{Linear, Mode, Module, Relu, Sequential};
//! use chainrule_tensor::{Rng, Tensor};
//!
//! let mut rng = Rng::seed_from_u64(1);
//! let net: Sequential = Sequential::new()
//!     .add(Linear::new(4, 8, &mut rng))
//!     .add(Relu)
//!     .add(Linear::new(8, 3, &mut rng));
//! let y = net.forward(&Tensor::ones([5, 4]), &mut Mode::Eval);
//! assert_eq!(y.shape(), &[5, 3]);
//! assert_eq!(net.named_parameters()[0].0, "0.weight");
//! ```

#![forbid(unsafe_code)]

mod activation;
mod adaptive_pool;
mod avg_pool;
mod batch_norm;
mod bilinear;
mod checkpoint;
mod classic_names;
mod conv;
mod conv_transpose;
mod dropout;
mod embedding;
mod extent;
mod flatten;
mod group_norm;
mod instance_norm;
mod layer_norm;
mod linear;
mod max_pool;
mod mode;
mod module;
mod param;
mod prelu;
mod recurrent;
mod rms_norm;
mod safetensors;
mod sequential;
mod softmax;
mod spectral_norm;
mod state;
mod transformer;
mod upsample;
mod weight_norm;
mod weighted;
mod whole_file;

pub mod init;

pub use activation::{
    Celu, Elu, Gelu, GeluTanh, Hardsigmoid, Hardswish, Hardtanh, LeakyRelu, LogSigmoid, Mish, Relu, Relu6, Selu,
    Sigmoid, Silu, Softplus, Softsign, Tanh,
};
pub use adaptive_pool::{
    AdaptiveAvgPool, AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool, AdaptiveMaxPool1d, AdaptiveMaxPool2d,
};
pub use avg_pool::{AvgPool, AvgPool1d, AvgPool2d};
pub use batch_norm::{BatchNorm, BatchNorm1d, BatchNorm2d};
pub use bilinear::Bilinear;
pub use chainrule_derive::Module;
pub use chainrule_tensor::Real;
pub use checkpoint::Checkpoint;
pub use conv::{Conv, Conv1d, Conv1dBuilder, Conv2d, Conv2dBuilder, ConvBuilder};
pub use conv_transpose::{ConvTranspose, ConvTranspose1d, ConvTranspose2d, ConvTransposeBuilder};
pub use dropout::{ChannelDropout, Dropout, Dropout1d, Dropout2d};
pub use embedding::Embedding;
pub use extent::{Extent, Pair};
pub use flatten::{Flatten, Unflatten};
pub use group_norm::GroupNorm;
pub use instance_norm::{InstanceNorm, InstanceNorm1d, InstanceNorm2d};
pub use layer_norm::LayerNorm;
pub use linear::{Linear, LinearBuilder};
pub use max_pool::{MaxPool, MaxPool1d, MaxPool2d};
pub use mode::Mode;
pub use module::{Entry, EntryMut, Layer, Module, Path};
pub use param::{Buffer, Param};
pub use prelu::Prelu;
pub use recurrent::{Gru, GruCell, Lstm, LstmCell, LstmState, RecurrentBuilder, RecurrentParams, Rnn, RnnCell};
pub use rms_norm::RmsNorm;
pub use safetensors::{Metadata, load_safetensors, save_safetensors};
pub use sequential::Sequential;
pub use softmax::Softmax;
pub use spectral_norm::SpectralNorm;
pub use state::{Misfit, StateDict, StateError};
pub use transformer::{
    AttentionMasks, DecoderMasks, FeedForwardActivation, KvCache, LearnedPositions, MultiheadAttention, Rotary,
    SinusoidalPositions, SwiGlu, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder,
    TransformerEncoderLayer, TransformerOptions,
};
pub use upsample::{PixelShuffle, PixelUnshuffle, Upsample};
pub use weight_norm::WeightNorm;
pub use weighted::Weighted;
pub use whole_file::write_whole;
