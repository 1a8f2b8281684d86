//! Windows that are all of an image: a dense layer, with samples as rows.
//!
//! ```text
//! Y = X W^T        dX = G W        dW = G^T X
//! ```
//!
//! with a row of `X` and of `W` for the numbers of a group's channels, as they stand. Such are the last layers of many nets, a discriminator's and,
//! by the gradient of their input, a generator's first ones; and all convolutions of images of one pixel.

use super::Conv2d;
use crate::Accum;
use crate::gemm::{Element, Epilogue, Mat, Mats, MatsMut, gemm_batched};

/// Whether this path computes the geometry.
pub(super) fn applies(geometry: &Conv2d) -> bool {
    geometry.kernel == geometry.input
        && geometry.padding == [0, 0]
        && geometry.output() == [1, 1]
        && !super::depthwise::applies(geometry)
}

/// The sides of the products, one for each group: `[samples, outputs, terms]`.
fn sides(geometry: &Conv2d) -> [usize; 3] {
    [geometry.batch, geometry.group_out(), geometry.group_in() * geometry.taps()]
}

/// Rows of the first group: one for each sample.
fn rows<'a, T: Element>(geometry: &Conv2d, numbers: &'a [T], columns: usize) -> Mat<'a, T> {
    Mat::new(numbers, geometry.batch, columns, geometry.groups * columns, 1)
}

/// [`forward`](super::forward) where this path [`applies`].
pub(super) fn forward<T: Element>(geometry: &Conv2d, x: &[T], w: &[T], finish: super::Epilogue<'_, T>, y: &mut [T]) {
    let ([batch, outputs, terms], groups) = (sides(geometry), [geometry.groups]);
    let mut epilogue = Epilogue { col_bias: finish.bias, relu: finish.relu, ..Epilogue::plain(Accum::Replace) };
    if let Some(bias) = finish.bias.filter(|_| geometry.groups > 1) {
        // Each group has a bias of its own, the products of a batch have one for all.
        y.chunks_exact_mut(bias.len()).for_each(|y| y.copy_from_slice(bias));
        epilogue = Epilogue { accum: Accum::Add, col_bias: None, ..epilogue };
    }
    gemm_batched(
        Mats::new(rows(geometry, x, terms), &groups, &[terms]),
        Mats::new(Mat::row_major(w, outputs, terms).t(), &groups, &[outputs * terms]),
        &mut MatsMut::new(y, (batch, outputs), groups[0] * outputs, &groups, &[outputs]),
        epilogue,
    );
}

/// [`input_grad`](super::input_grad) where this path [`applies`].
pub(super) fn input_grad<T: Element>(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) {
    let ([batch, outputs, terms], groups) = (sides(geometry), [geometry.groups]);
    gemm_batched(
        Mats::new(rows(geometry, g, outputs), &groups, &[outputs]),
        Mats::new(Mat::row_major(w, outputs, terms), &groups, &[outputs * terms]),
        &mut MatsMut::new(dx, (batch, terms), groups[0] * terms, &groups, &[terms]),
        Epilogue::plain(Accum::Replace),
    );
}

/// [`weight_grad`](super::weight_grad) where this path [`applies`].
pub(super) fn weight_grad<T: Element>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    let ([_, outputs, terms], groups) = (sides(geometry), [geometry.groups]);
    gemm_batched(
        Mats::new(rows(geometry, g, outputs).t(), &groups, &[outputs]),
        Mats::new(rows(geometry, x, terms), &groups, &[terms]),
        &mut MatsMut::new(dw, (outputs, terms), terms, &groups, &[outputs * terms]),
        Epilogue::plain(Accum::Replace),
    );
}
