//! Backward through time: step after step from the last one taken, then the products over all steps.

use super::forward::product;
use super::gating::Backward;
use super::gru::Gru;
use super::lstm::Lstm;
use super::panels::{Panels, block_width};
use super::place::{Group, Place};
use super::rnn::Rnn;
use super::{Cell, Gradients, Saved, Sequence, plan};
use crate::gemm::{Epilogue, Mat};
use crate::lanes::LANES;
use crate::size::count;
use crate::{Accum, Buffer, Real, View, reduce, simd};
use std::ops::Range;

/// One step back of some samples (rows) and neighboring units. Places begin at the first of both.
///
/// Whoever makes one promises that all rows and units are there, that nobody else uses what is written, and that nobody writes
/// what is read.
pub(super) struct GatesBackward<'a, T> {
    pub(super) rows: usize,
    pub(super) units: usize,
    /// The distance of the blocks of a row of `saved` and `slopes`.
    pub(super) hidden: usize,
    /// The gates of the forward pass.
    pub(super) saved: Place<T>,
    pub(super) state_before: Place<T>,
    pub(super) state: Place<T>,
    pub(super) memory_before: Place<T>,
    pub(super) memory: Place<T>,
    /// The gradient of the step's own output.
    pub(super) grad: Place<T>,
    /// The gradient that the steps behind send to the state: in. What goes around the product to the step before: out.
    pub(super) carry: Place<T>,
    /// The memory's gradient, in and out.
    pub(super) carry_memory: Place<T>,
    /// The gradients before the activations, out.
    pub(super) slopes: Place<T>,
    /// The samples' lengths, and the time of the step.
    pub(super) lengths: Option<&'a [usize]>,
    pub(super) time: usize,
}

impl<T: Real> GatesBackward<'_, T> {
    /// Whether the step lies beyond a sample's length. If so its gates have no gradient, and the state's goes on.
    ///
    /// # Safety
    /// The promises of [`GatesBackward`].
    #[inline(always)]
    pub(super) unsafe fn passes(&self, row: usize, blocks: usize) -> bool {
        if self.lengths.is_none_or(|lengths| self.time < lengths[row]) {
            return false;
        }
        // SAFETY: the caller's.
        unsafe {
            let grad = self.grad.at(row, 0).slice(self.units);
            let carry = self.carry.at(row, 0).slice_mut(self.units);
            carry.iter_mut().zip(grad).for_each(|(x, &g)| *x += g);
            for block in 0..blocks {
                self.slopes.at(row, block * self.hidden).slice_mut(self.units).fill(T::ZERO);
            }
        }
        true
    }

    /// The whole gradient of the state after the step.
    ///
    /// # Safety
    /// The promises of [`GatesBackward`], and `count` units from `at` on exist.
    #[inline(always)]
    pub(super) unsafe fn grad_state(&self, row: usize, at: usize, count: usize) -> Group<T> {
        // SAFETY: the caller's.
        let (mut sum, grad) = unsafe { (self.carry.load(row, at, count), self.grad.load(row, at, count)) };
        for l in 0..LANES {
            sum[l] += grad[l];
        }
        sum
    }
}

/// What all steps share. The gradients that are carried from step to step stand block of units by block:
/// `[blocks, batch, width]`.
struct Pass<'a, T: Real> {
    sequence: &'a Sequence<'a, T>,
    /// The packed weights; a single sample reads them where they are.
    panels: Option<Panels<T>>,
    gates: Place<T>,
    states: Place<T>,
    memory: Place<T>,
    grad: Place<T>,
    carry: Place<T>,
    carry_memory: Place<T>,
    slopes: Place<T>,
    zeros: &'a [T],
}

pub(super) fn backward<T: Real>(
    sequence: &Sequence<'_, T>,
    saved: Saved<'_, T>,
    grad: &[T],
    grad_memory: Option<&[T]>,
    gradients: Gradients<'_, T>,
) {
    sequence.check(saved.states.len(), sequence.gates_len(), saved.memory.len());
    assert_eq!(grad.len(), saved.states.len(), "recurrent: the gradient has another size");
    let Sequence { cell, steps, batch, hidden, .. } = *sequence;
    let has_gates = matches!(cell, Cell::Lstm | Cell::Gru);
    assert!(!has_gates || saved.gates.len() == sequence.gates_len(), "recurrent: the gates have another size");
    let (stride, width) = (sequence.stride(), block_width::<T>());
    let carried = hidden.div_ceil(width) * batch * width;
    let mut carry = Buffer::zeroed(carried);
    let mut carry_memory = Buffer::zeroed(if cell == Cell::Lstm { carried } else { 0 });
    if let Some(grad) = grad_memory.filter(|_| cell == Cell::Lstm) {
        assert_eq!(grad.len(), count(&[batch, hidden]), "recurrent: the memory's gradient has another size");
        for_units::<T>(batch, hidden, |at, blocked| carry_memory[blocked] = grad[at]);
    }
    let mut slopes = Buffer::unspecified(sequence.gates_len());
    let zeros = Buffer::zeroed(hidden);
    let pass = Pass {
        sequence,
        panels: (batch > 1).then(|| Panels::backward(sequence.weight_hh, cell.gates(), hidden)),
        gates: Place::read_only(saved.gates, stride),
        states: Place::read_only(saved.states, hidden),
        memory: Place::read_only(saved.memory, hidden),
        grad: Place::read_only(grad, hidden),
        carry: Place::new(&mut carry, width),
        carry_memory: Place::new(&mut carry_memory, width),
        slopes: Place::new(&mut slopes, stride),
        zeros: &zeros,
    };
    // Each round takes the gradients of the step behind to this one's state, then through this one's gates: so a thread that has
    // a share of the units finds what it needs in its own, but for the gates of the step behind.
    plan::for_steps(sequence, steps + 1, |round, rows, units| {
        // SAFETY: no two calls work on the same units of the same sample, and a sample's rounds come one after another.
        unsafe {
            if round > 0 {
                pass.multiply(steps - round, rows.clone(), units.clone());
            }
            if round < steps {
                pass.gates(steps - 1 - round, rows, units);
            }
        }
    });
    let Gradients { x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0 } = gradients;
    for (out, carried) in [(h0, carry), (c0, carry_memory)] {
        if let Some(out) = out {
            for_units::<T>(batch, hidden, |at, blocked| out[at] = carried[blocked]);
        }
    }
    let slopes = Slopes { sequence, numbers: &slopes };
    if let Some(out) = x {
        slopes.input(out);
    }
    if let Some(out) = weight_ih {
        slopes.weight_ih(out);
    }
    if let Some(out) = weight_hh {
        slopes.weight_hh(saved.states, out);
    }
    slopes.biases(bias_ih, bias_hh);
}

/// Calls `copy` with the place of each number of `[batch, hidden]` and that in the blocks of units.
fn for_units<T: Real>(batch: usize, hidden: usize, mut copy: impl FnMut(usize, usize)) {
    let width = block_width::<T>();
    for row in 0..batch {
        for unit in 0..hidden {
            copy(row * hidden + unit, (unit / width * batch + row) * width + unit % width);
        }
    }
}

impl<T: Real> Pass<'_, T> {
    /// The derivatives of the gates of the `k`-th step.
    ///
    /// # Safety
    /// The samples' step behind is done in these units, and nobody else works on these samples and units, of which the first
    /// is the first of a block.
    unsafe fn gates(&self, k: usize, rows: Range<usize>, units: Range<usize>) {
        let Sequence { cell, batch, hidden, lengths, .. } = *self.sequence;
        let (time, width) = (self.sequence.time(k), block_width::<T>());
        let [state_before, memory_before] = self.sequence.before(k, rows.start, [self.states, self.memory], self.zeros);
        let first = time * batch + rows.start;
        for start in units.clone().step_by(width) {
            let blocked = start / width * batch + rows.start;
            let step = GatesBackward {
                rows: rows.len(),
                units: (units.end - start).min(width),
                hidden,
                saved: self.gates.at(first, start),
                state_before: state_before.at(0, start),
                state: self.states.at(first, start),
                memory_before: memory_before.at(0, start),
                memory: self.memory.at(first, start),
                grad: self.grad.at(first, start),
                carry: self.carry.at(blocked, 0),
                carry_memory: self.carry_memory.at(blocked, 0),
                slopes: self.slopes.at(first, start),
                lengths: lengths.map(|lengths| &lengths[rows.clone()]),
                time,
            };
            match cell {
                Cell::Tanh => simd::dispatch(Backward::<T, Rnn<false>>::new(step)),
                Cell::Relu => simd::dispatch(Backward::<T, Rnn<true>>::new(step)),
                Cell::Lstm => simd::dispatch(Backward::<T, Lstm>::new(step)),
                Cell::Gru => simd::dispatch(Backward::<T, Gru>::new(step)),
            }
        }
    }

    /// Takes the gates' gradients of the `k`-th step to the state before it.
    ///
    /// # Safety
    /// The samples' gates of the step are done in all units; for the rest as [`gates`](Pass::gates).
    unsafe fn multiply(&self, k: usize, rows: Range<usize>, units: Range<usize>) {
        let Sequence { cell, batch, hidden, weight_hh, .. } = *self.sequence;
        let (stride, width) = (self.sequence.stride(), block_width::<T>());
        let first = self.slopes.at(self.sequence.time(k) * batch + rows.start, cell.recurrent_block() * hidden);
        let terms = cell.gates() * hidden;
        // SAFETY: the gates of the step are done, and nobody changes their gradients any more.
        let slopes = unsafe { first.slice((rows.len() - 1) * stride + terms) };
        let slopes = Mat::new(slopes, rows.len(), terms, stride, 1);
        for start in plan::there_and_back(k, units.clone(), width) {
            let block = start / width;
            let count = (units.end - start).min(width);
            let weight = match &self.panels {
                // Whole registers, so that the product reads the panel in place.
                Some(panels) => Mat::new(panels.get(block), terms, count.next_multiple_of(LANES.min(width)), width, 1),
                None => Mat::new(&weight_hh[start..], terms, count, hidden, 1),
            };
            // SAFETY: these rows of the block are ours alone, which the caller promises.
            let carry = unsafe { self.carry.at(block * batch + rows.start, 0).slice_mut(rows.len() * width) };
            product(slopes, weight, carry, width, Epilogue::plain(Accum::Add));
        }
    }
}

/// The gradients before the activations, of all steps.
struct Slopes<'a, T: Real> {
    sequence: &'a Sequence<'a, T>,
    numbers: &'a [T],
}

impl<T: Real> Slopes<'_, T> {
    /// `count` blocks from `block` on, of `rows`.
    fn blocks(&self, rows: Range<usize>, block: usize, count: usize) -> Mat<'_, T> {
        let (hidden, stride) = (self.sequence.hidden, self.sequence.stride());
        let start = (rows.start * stride + block * hidden).min(self.numbers.len());
        Mat::new(&self.numbers[start..], rows.len(), count * hidden, stride, 1)
    }

    /// `x' = a' W_ih`
    fn input(&self, out: &mut [T]) {
        let Sequence { cell, inputs, hidden, .. } = *self.sequence;
        let rows = self.sequence.rows();
        for (i, &(gate, count, block)) in cell.input_blocks().iter().enumerate() {
            let weight = &self.sequence.weight_ih[gate * hidden * inputs..][..count * hidden * inputs];
            let accum = if i == 0 { Accum::Replace } else { Accum::Add };
            let weight = Mat::row_major(weight, count * hidden, inputs);
            product(self.blocks(0..rows, block, count), weight, out, inputs, Epilogue::plain(accum));
        }
    }

    /// `W_ih' = a'^T x`
    fn weight_ih(&self, out: &mut [T]) {
        let Sequence { cell, inputs, hidden, .. } = *self.sequence;
        let rows = self.sequence.rows();
        let x = Mat::row_major(self.sequence.x, rows, inputs);
        for &(gate, count, block) in cell.input_blocks() {
            let out = &mut out[gate * hidden * inputs..][..count * hidden * inputs];
            product(self.blocks(0..rows, block, count).t(), x, out, inputs, Epilogue::plain(Accum::Replace));
        }
    }

    /// `W_hh' = a'^T h`, with the state before each step.
    fn weight_hh(&self, states: &[T], out: &mut [T]) {
        let Sequence { cell, batch, hidden, reverse, h0, .. } = *self.sequence;
        let rows = self.sequence.rows();
        // All steps but the first one taken come after one whose state is here.
        let (behind, first, before) = match reverse {
            false => (batch..rows, 0..batch, &states[..(rows - batch) * hidden]),
            true => (0..rows - batch, rows - batch..rows, &states[batch * hidden..]),
        };
        let slopes = |rows| self.blocks(rows, cell.recurrent_block(), cell.gates());
        let before = Mat::row_major(before, behind.len(), hidden);
        product(slopes(behind).t(), before, out, hidden, Epilogue::plain(Accum::Replace));
        if let Some(h0) = h0 {
            let h0 = Mat::row_major(h0, batch, hidden);
            product(slopes(first).t(), h0, out, hidden, Epilogue::plain(Accum::Add));
        }
    }

    /// The sums of `a'` over all rows.
    fn biases(&self, bias_ih: Option<&mut [T]>, bias_hh: Option<&mut [T]>) {
        let Sequence { cell, hidden, .. } = *self.sequence;
        if bias_ih.is_none() && bias_hh.is_none() {
            return;
        }
        let shape = [cell.blocks() * hidden, self.sequence.rows()];
        let mut sums = Buffer::unspecified(shape[0]);
        reduce::sum(View::new(self.numbers, &shape, &[1, self.sequence.stride()]), 1, &mut sums);
        if let Some(out) = bias_ih {
            for &(gate, count, block) in cell.input_blocks() {
                let len = count * hidden;
                out[gate * hidden..][..len].copy_from_slice(&sums[block * hidden..][..len]);
            }
        }
        if let Some(out) = bias_hh {
            out.copy_from_slice(&sums[cell.recurrent_block() * hidden..]);
        }
    }
}
