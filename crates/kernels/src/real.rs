//! [`Real`]: the number types that kernels work on.

use crate::number::{Fused, Like, Number};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A floating-point number that tensors are made of: `f32` or `f64` (the trait is sealed).
///
/// What it can do by itself is in [`Number`]; here is what it is, and the kernels that are compiled for it.
pub trait Real:
    sealed::Sealed
    + Number
    + Send
    + Sync
    + crate::ctc::CtcKernels<Self>
    + crate::map::MapKernels<Self>
    + crate::map::WalkKernels<Self>
    + crate::mask::MaskKernels<Self>
    + crate::moments::MomentKernels<Self>
    + crate::gemm::GemmKernels<Self>
    + crate::attention::AttentionKernels<Self>
    + crate::index::IndexKernels<Self>
    + crate::norm::BatchNormKernels<Self>
    + crate::norm::LayerNormKernels<Self>
    + crate::norm::RmsNormKernels<Self>
    + crate::random::RandomKernels<Self>
    + crate::recurrent::RecurrentKernels<Self>
    + crate::reduce::ReduceKernels<Self>
    + crate::scan::ScanKernels<Self>
    + crate::rows::RowKernels<Self>
    + crate::extremes::ExtremeKernels<Self>
    + crate::softmax::SoftmaxKernels<Self>
    + crate::softmax::columns::ColumnKernels<Self>
    + crate::sort::SortKernels<Self>
    + crate::update::UpdateKernels<Self>
    + crate::update::VectorKernels<Self>
    + crate::view::ViewKernels<Self>
    + crate::place::PartKernels<Self>
    + crate::conv::ConvKernels<Self>
    + crate::pool::PoolKernels<Self>
    + crate::pool::PlaceKernels<Self>
    + crate::pool::AdaptiveKernels<Self>
    + crate::resample::ResampleKernels<Self>
    + crate::norm::GroupNormKernels<Self>
    + crate::relu::ReluKernels<Self>
    + crate::buffer::Pooled
    + 'static
{
    /// The type's name, as Rust spells it: `"f32"` or `"f64"`.
    const NAME: &'static str;
    /// Size of one number in bytes.
    const BYTES: usize;
    /// The same number, whose functions fuse multiplications and additions: for levels that have such instructions.
    #[doc(hidden)]
    type Fused: Like<Self>;

    /// The largest number that is less than this one.
    #[must_use]
    fn next_down(self) -> Self;
    /// Appends the little-endian bytes of this number.
    fn write_le(self, out: &mut Vec<u8>);
    /// Reads a number from its first [`BYTES`](Real::BYTES) little-endian bytes.
    ///
    /// # Panics
    /// If there are fewer bytes.
    fn read_le(bytes: &[u8]) -> Self;
}

macro_rules! real {
    ($t:ident) => {
        impl Real for $t {
            const NAME: &'static str = stringify!($t);
            const BYTES: usize = size_of::<$t>();
            type Fused = Fused<$t>;

            fn next_down(self) -> Self {
                $t::next_down(self)
            }
            fn write_le(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn read_le(bytes: &[u8]) -> Self {
                $t::from_le_bytes(bytes[..Self::BYTES].try_into().expect("the slice has the length"))
            }
        }
    };
}

real!(f32);
real!(f64);
