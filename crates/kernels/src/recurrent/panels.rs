//! The recurrent weights, packed once for all steps.
//!
//! Forward, a block of units wants a panel for each gate, `[hidden, width]`, so that `h [rows, hidden]` times the panel gives the
//! gate's share of those units. Backward it wants one panel `[gates * hidden, width]`: the gradients of all gates times
//! the panel give those of the block's units of the state. Panels stand one after another in the order of their use; the
//! last block's are filled up with zeros.

use crate::{Buffer, Real, View, parallel, view};

/// Numbers worth packing on several threads.
const PARALLEL: usize = 1 << 16;

/// Units in a block: two of the longest registers.
pub(super) const fn block_width<T: Real>() -> usize {
    128 / T::BYTES
}

/// Packed weights.
#[derive(Debug)]
pub(super) struct Panels<T: Real> {
    numbers: Buffer<T>,
    /// The length of a panel.
    panel: usize,
}

impl<T: Real> Panels<T> {
    /// Panel `i`.
    pub(super) fn get(&self, i: usize) -> &[T] {
        &self.numbers[i * self.panel..(i + 1) * self.panel]
    }

    /// For the forward pass: panel `block * gates + gate`.
    pub(super) fn forward(weight: &[T], gates: usize, hidden: usize) -> Self {
        let width = block_width::<T>();
        Self::pack(hidden.div_ceil(width) * gates, hidden * width, |i, panel| {
            let (block, gate) = (i / gates, i % gates);
            let start = block * width;
            let count = (hidden - start).min(width);
            let rows = &weight[(gate * hidden + start) * hidden..][..count * hidden];
            if count == width {
                view::copy(View::new(rows, &[hidden, width], &[1, hidden]), panel);
                return;
            }
            panel.fill(T::ZERO);
            for (unit, row) in rows.chunks(hidden).enumerate() {
                row.iter().enumerate().for_each(|(k, &x)| panel[k * width + unit] = x);
            }
        })
    }

    /// For the backward pass: panel `block`.
    pub(super) fn backward(weight: &[T], gates: usize, hidden: usize) -> Self {
        let width = block_width::<T>();
        Self::pack(hidden.div_ceil(width), gates * hidden * width, |block, panel| {
            let start = block * width;
            let count = (hidden - start).min(width);
            for (to, row) in panel.chunks_mut(width).zip(weight.chunks(hidden)) {
                to[..count].copy_from_slice(&row[start..start + count]);
                to[count..].fill(T::ZERO);
            }
        })
    }

    fn pack(panels: usize, panel: usize, fill: impl Fn(usize, &mut [T]) + Sync + Send) -> Self {
        let mut numbers = Buffer::unspecified(panels * panel);
        if numbers.len() < PARALLEL {
            numbers.chunks_mut(panel).enumerate().for_each(|(i, panel)| fill(i, panel));
        } else {
            parallel::for_each_chunk(&mut numbers, panel, fill);
        }
        Panels { numbers, panel }
    }
}
