//! 1x1 windows: plain matrix products, sample by sample, on the images as they stand.
//!
//! ```text
//! Y[n] = W X[n]        dX[n] = W^T G[n]        dW = sum over n of G[n] X[n]^T
//! ```
//!
//! with `X[n]` the `channels x pixels` matrix of a sample; where pixels are few, samples are put side by side and are one product. Where there is a
//! stride, `thinned` has picked the pixels that count.

use super::joined::{FAR, join, separate};
use super::{Conv2d, shared::Shared};
use crate::gemm::{Element, Epilogue, Mat, Mats, MatsMut, gemm, gemm_batched};
use crate::{Accum, Buffer, parallel};

/// Shares of the samples whose gradients of the weights are summed apart, at most.
const SHARES: usize = 8;
/// Numbers that the shares may take together, if they are more than two.
const SHARED_NUMBERS: usize = 1 << 20;

/// From so many pixels on, an image is a product by itself.
const FEW_PIXELS: usize = 64;
/// The fewest pixels of all samples that are worth putting side by side.
const WIDE: usize = 32;
/// Sums over fewer pixels are too short for the gradient of the weights, which is read and written for each sample.
const SHORT: usize = 8;

/// Whether this path computes the geometry.
pub(super) fn applies(geometry: &Conv2d) -> bool {
    geometry.kernel == [1, 1]
        && geometry.stride == [1, 1]
        && geometry.padding == [0, 0]
        && !super::depthwise::applies(geometry)
}

/// All samples as one image, if it pays to put them side by side: weights that leave the cache are fetched once then, and short rows are not
/// products of their own. Fewer than `always` pixels are put so with any weights.
fn as_one(geometry: &Conv2d, always: usize) -> Option<Conv2d> {
    let (batch, pixels) = (geometry.batch, geometry.input_plane());
    let far = geometry.group_in() * geometry.group_out() >= FAR && pixels < FEW_PIXELS && batch * pixels >= WIDE;
    (batch > 1 && (far || pixels < always)).then_some(Conv2d { batch: 1, input: [batch, pixels], ..*geometry })
}

/// All samples' images as one.
fn joined<T: Element>(geometry: &Conv2d, channels: usize, images: &[T]) -> Buffer<T> {
    let (mut all, pixels) = (Buffer::unspecified(images.len()), geometry.input_plane());
    join(images, channels * pixels, [geometry.batch, channels, pixels], &mut all);
    all
}

/// [`forward`](super::forward) where this path [`applies`].
pub(super) fn forward<T: Element>(geometry: &Conv2d, x: &[T], w: &[T], finish: super::Epilogue<'_, T>, y: &mut [T]) {
    let pixels = geometry.input_plane();
    if let Some(all) = as_one(geometry, 0) {
        let mut sums = Buffer::unspecified(y.len());
        forward(&all, &joined(geometry, geometry.in_channels, x), w, finish, &mut sums);
        return separate(&sums, [geometry.batch, geometry.out_channels, pixels], y);
    }
    let (group_in, group_out) = (geometry.group_in(), geometry.group_out());
    let mut epilogue = finish.of_rows(0..geometry.out_channels);
    if let Some(bias) = finish.bias.filter(|_| geometry.groups > 1) {
        // Each group has a bias of its own, the products of a batch have one for all.
        y.chunks_exact_mut(pixels).zip(bias.iter().cycle()).for_each(|(y, &bias)| y.fill(bias));
        epilogue = Epilogue { accum: Accum::Add, row_bias: None, ..epilogue };
    }
    let batch = [geometry.batch, geometry.groups];
    let strides = [geometry.in_channels * pixels, group_in * pixels];
    let x = Mats::new(Mat::row_major(x, group_in, pixels), &batch, &strides);
    let strides = [0, group_out * group_in];
    let w = Mats::new(Mat::row_major(w, group_out, group_in), &batch, &strides);
    let strides = [geometry.out_channels * pixels, group_out * pixels];
    gemm_batched(w, x, &mut MatsMut::new(y, (group_out, pixels), pixels, &batch, &strides), epilogue);
}

/// [`input_grad`](super::input_grad) where this path [`applies`].
pub(super) fn input_grad<T: Element>(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) {
    let pixels = geometry.input_plane();
    if let Some(all) = as_one(geometry, 0) {
        let mut sums = Buffer::unspecified(dx.len());
        input_grad(&all, &joined(geometry, geometry.out_channels, g), w, &mut sums);
        return separate(&sums, [geometry.batch, geometry.in_channels, pixels], dx);
    }
    let (group_in, group_out) = (geometry.group_in(), geometry.group_out());
    let batch = [geometry.batch, geometry.groups];
    let strides = [geometry.out_channels * pixels, group_out * pixels];
    let g = Mats::new(Mat::row_major(g, group_out, pixels), &batch, &strides);
    let strides = [0, group_out * group_in];
    let w = Mats::new(Mat::row_major(w, group_out, group_in).t(), &batch, &strides);
    let strides = [geometry.in_channels * pixels, group_in * pixels];
    let mut dx = MatsMut::new(dx, (group_in, pixels), pixels, &batch, &strides);
    gemm_batched(w, g, &mut dx, Epilogue::plain(Accum::Replace));
}

/// [`weight_grad`](super::weight_grad) where this path [`applies`]. Pieces: fixed shares of the samples, added up in order.
pub(super) fn weight_grad<T: Element>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    let pixels = geometry.input_plane();
    if let Some(all) = as_one(geometry, SHORT) {
        let (x, g) = (joined(geometry, geometry.in_channels, x), joined(geometry, geometry.out_channels, g));
        return weight_grad(&all, &x, &g, dw);
    }
    let (group_in, group_out) = (geometry.group_in(), geometry.group_out());
    let shares = (SHARED_NUMBERS / dw.len()).clamp(2, SHARES).min(geometry.batch);
    let mut partial = Buffer::unspecified(shares * dw.len());
    let out = Shared::new(&mut partial);
    parallel::for_each(shares * geometry.groups, |piece| {
        let (share, group) = (piece / geometry.groups, piece % geometry.groups);
        let size = group_out * group_in;
        // SAFETY: each piece has its own share and group.
        let out = unsafe { out.part(piece * size, size) };
        let samples = geometry.batch * share / shares..geometry.batch * (share + 1) / shares;
        for (at, sample) in samples.enumerate() {
            let x = &x[(sample * geometry.in_channels + group * group_in) * pixels..];
            let g = &g[(sample * geometry.out_channels + group * group_out) * pixels..];
            let accum = if at == 0 { Accum::Replace } else { Accum::Add };
            let x = Mat::row_major(x, group_in, pixels).t();
            gemm(Mat::row_major(g, group_out, pixels), x, out, Epilogue::plain(accum));
        }
    });
    super::add_shares(&partial, dw);
}
