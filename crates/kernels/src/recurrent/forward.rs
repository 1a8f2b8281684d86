//! The forward pass: the input's product, then step after step.

use super::gating::Forward;
use super::gru::Gru;
use super::lstm::Lstm;
use super::panels::{Panels, block_width};
use super::place::{Group, Place};
use super::rnn::Rnn;
use super::{Cell, Sequence, plan};
use crate::gemm::{Epilogue, Mat, Mats, MatsMut, gemm_batched};
use crate::lanes::LANES;
use crate::simd;
use crate::{Accum, Buffer, Real};
use std::ops::Range;

/// One step of some samples (rows) and neighboring units. Places begin at the first of both.
///
/// Whoever makes one promises that all rows and units are there, that nobody else uses what is written, and that nobody writes
/// what is read.
pub(super) struct Gates<'a, T> {
    pub(super) rows: usize,
    pub(super) units: usize,
    /// The distance of the blocks of a row of `saved`.
    pub(super) hidden: usize,
    /// The input's share in, the gates out.
    pub(super) saved: Place<T>,
    /// The state's share: for each row, `width` numbers a gate.
    pub(super) product: Place<T>,
    pub(super) width: usize,
    pub(super) candidate_bias: Option<Place<T>>,
    pub(super) state_before: Place<T>,
    pub(super) state: Place<T>,
    pub(super) memory_before: Place<T>,
    pub(super) memory: Place<T>,
    /// The samples' lengths, and the time of the step.
    pub(super) lengths: Option<&'a [usize]>,
    pub(super) time: usize,
}

impl<T: Real> Gates<'_, T> {
    /// Whether the step lies beyond a sample's length. If so, hands the sample's state on.
    ///
    /// # Safety
    /// The promises of [`Gates`].
    #[inline(always)]
    pub(super) unsafe fn passes(&self, row: usize, has_memory: bool) -> bool {
        if self.lengths.is_none_or(|lengths| self.time < lengths[row]) {
            return false;
        }
        // SAFETY: the caller's.
        unsafe {
            let before = self.state_before.at(row, 0).slice(self.units);
            self.state.at(row, 0).slice_mut(self.units).copy_from_slice(before);
            if has_memory {
                let before = self.memory_before.at(row, 0).slice(self.units);
                self.memory.at(row, 0).slice_mut(self.units).copy_from_slice(before);
            }
        }
        true
    }

    /// The input's share of a block plus the state's share of a gate.
    ///
    /// # Safety
    /// The promises of [`Gates`], and `count` units from `at` on exist.
    #[inline(always)]
    pub(super) unsafe fn sum(&self, row: usize, block: usize, gate: usize, at: usize, count: usize) -> Group<T> {
        // SAFETY: the caller's; rows of the product are filled up to whole groups.
        let (mut sum, product) = unsafe {
            (
                self.saved.load(row, block * self.hidden + at, count),
                self.product.load(row, gate * self.width + at, LANES),
            )
        };
        for l in 0..LANES {
            sum[l] += product[l];
        }
        sum
    }
}

/// A product of two matrices into a third whose rows are `stride` apart.
pub(super) fn product<T: Real>(a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T], stride: usize, epilogue: Epilogue<'_, T>) {
    let (rows, cols) = (a.rows(), b.cols());
    let (a, b) = (Mats::new(a, &[], &[]), Mats::new(b, &[], &[]));
    gemm_batched(a, b, &mut MatsMut::one(c, rows, cols, stride), epilogue);
}

/// What all steps share.
struct Pass<'a, T: Real> {
    sequence: &'a Sequence<'a, T>,
    /// The packed weights; a single sample reads them where they are.
    panels: Option<Panels<T>>,
    gates: Place<T>,
    states: Place<T>,
    memory: Place<T>,
    zeros: &'a [T],
}

pub(super) fn forward<T: Real>(sequence: &Sequence<'_, T>, states: &mut [T], gates: &mut [T], memory: &mut [T]) {
    sequence.check(states.len(), gates.len(), memory.len());
    let Sequence { cell, steps, batch, hidden, .. } = *sequence;
    input_product(sequence, gates);
    let zeros = Buffer::zeroed(hidden);
    let pass = Pass {
        sequence,
        panels: (batch > 1).then(|| Panels::forward(sequence.weight_hh, cell.gates(), hidden)),
        gates: Place::new(gates, sequence.stride()),
        states: Place::new(states, hidden),
        memory: Place::new(memory, hidden),
        zeros: &zeros,
    };
    // SAFETY: no two calls work on the same units of the same sample, and a sample's steps come one after another.
    plan::for_steps(sequence, steps, |k, rows, units| unsafe { pass.step(k, rows, units) });
}

/// The input's share of all gates of all steps, with the biases.
fn input_product<T: Real>(sequence: &Sequence<'_, T>, gates: &mut [T]) {
    let Sequence { cell, inputs, hidden, .. } = *sequence;
    let (rows, stride) = (sequence.rows(), sequence.stride());
    if rows == 0 {
        return;
    }
    for &(gate, count, block) in cell.input_blocks() {
        let span = gate * hidden..(gate + count) * hidden;
        let bias: Option<Buffer<T>> = sequence.bias.map(|(ih, hh)| {
            let mut bias = Buffer::from_slice(&ih[span.clone()]);
            // The GRU's candidate adds the state's bias later, before it is reset.
            if block >= cell.recurrent_block() {
                bias.iter_mut().zip(&hh[span.clone()]).for_each(|(a, &b)| *a += b);
            }
            bias
        });
        let weight = &sequence.weight_ih[span.start * inputs..span.end * inputs];
        let a = Mat::row_major(sequence.x, rows, inputs);
        let b = Mat::row_major(weight, count * hidden, inputs).t();
        let epilogue = Epilogue { col_bias: bias.as_deref(), ..Epilogue::plain(Accum::Replace) };
        product(a, b, &mut gates[block * hidden..], stride, epilogue);
    }
}

impl<T: Real> Pass<'_, T> {
    /// The `k`-th step of some samples and some units, of which the first is the first of a block.
    ///
    /// # Safety
    /// The samples' step before is done in all units, and nobody else works on these samples and units.
    unsafe fn step(&self, k: usize, rows: Range<usize>, units: Range<usize>) {
        let Sequence { cell, batch, hidden, bias, lengths, .. } = *self.sequence;
        let gates = cell.gates();
        // Products with weights that are not packed take all units at once.
        let width = if self.panels.is_some() { block_width::<T>() } else { units.len().next_multiple_of(LANES) };
        let mut scratch = Buffer::unspecified(rows.len() * gates * width);
        let time = self.sequence.time(k);
        let [state_before, memory_before] = self.sequence.before(k, rows.start, [self.states, self.memory], self.zeros);
        let first = time * batch + rows.start;
        let has_state = k > 0 || self.sequence.h0.is_some();
        if !has_state {
            scratch.fill(T::ZERO);
        }
        for start in plan::there_and_back(k, units.clone(), width) {
            let count = (units.end - start).min(width);
            if has_state {
                // SAFETY: the step before is done, and nobody changes its states any more.
                let h = Mat::row_major(unsafe { state_before.slice(rows.len() * hidden) }, rows.len(), hidden);
                for gate in plan::there_and_back(k, 0..gates, 1) {
                    self.multiply(h, start, count, gate, (&mut scratch[gate * width..], gates * width));
                }
            }
            let candidate = bias.filter(|_| cell == Cell::Gru).map(|(_, hh)| Place::read_only(&hh[2 * hidden..], 0));
            let step = Gates {
                rows: rows.len(),
                units: count,
                hidden,
                saved: self.gates.at(first, start),
                product: Place::new(&mut scratch, gates * width),
                width,
                candidate_bias: candidate.map(|bias| bias.at(0, start)),
                state_before: state_before.at(0, start),
                state: self.states.at(first, start),
                memory_before: memory_before.at(0, start),
                memory: self.memory.at(first, start),
                lengths: lengths.map(|lengths| &lengths[rows.clone()]),
                time,
            };
            match cell {
                Cell::Tanh => simd::dispatch(Forward::<T, Rnn<false>>::new(step)),
                Cell::Relu => simd::dispatch(Forward::<T, Rnn<true>>::new(step)),
                Cell::Lstm => simd::dispatch(Forward::<T, Lstm>::new(step)),
                Cell::Gru => simd::dispatch(Forward::<T, Gru>::new(step)),
            }
        }
    }

    /// A gate's share of the state, for some units, into rows of numbers that begin at a distance from each other.
    fn multiply(&self, h: Mat<'_, T>, start: usize, count: usize, gate: usize, (out, stride): (&mut [T], usize)) {
        let Sequence { cell, hidden, weight_hh, .. } = *self.sequence;
        let weight = match &self.panels {
            Some(panels) => {
                let width = block_width::<T>();
                // Whole registers, so that the product reads the panel in place.
                let cols = count.next_multiple_of(LANES.min(width));
                Mat::new(panels.get(start / width * cell.gates() + gate), hidden, cols, width, 1)
            }
            None => {
                let rows = &weight_hh[(gate * hidden + start) * hidden..][..count * hidden];
                Mat::row_major(rows, count, hidden).t()
            }
        };
        product(h, weight, out, stride, Epilogue::plain(Accum::Replace));
    }
}
