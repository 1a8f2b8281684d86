//! What the recurrent operations [`rnn`](super::rnn), [`gru`](super::gru) and [`lstm`](super::lstm) share: one fused node for a
//! whole sequence in one direction through one layer.
//!
//! The node's value is the states after every step, `[L, N, H]`; an LSTM appends its last memory as one more step, `[L + 1, N, H]`.
//! What users see are slices of it, whose gradients meet in one sum.
//!
//! Backward runs the fused kernel. Where a pass is recorded, to be differentiated again, it unrolls the steps into plain
//! operations instead and takes their gradient.

use crate::graph::edges_of;
use crate::{CreateGraph, Inputs, Mask, Op, OpInfo, SavedOutput, Tensor};
use chainrule_kernels::recurrent::{self, Cell, Gradients, Saved, Sequence};
use chainrule_kernels::{Buffer, Real};
use std::fmt;

/// The parameters of one layer in one direction, shaped and ordered as PyTorch's: `G` gates of `H` units.
#[derive(Clone, Copy, Debug)]
pub struct RecurrentWeights<'a, T: Real> {
    /// `[G H, F]`, for the input.
    pub weight_ih: &'a Tensor<T>,
    /// `[G H, H]`, for the state.
    pub weight_hh: &'a Tensor<T>,
    /// The biases of both products, each `[G H]`.
    pub bias: Option<(&'a Tensor<T>, &'a Tensor<T>)>,
}

/// The order of steps, and how many there are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steps<'a> {
    /// From the last step to the first.
    pub reverse: bool,
    /// The steps of each sample, from 1 to all; all where not given. What the input holds beyond is not read; the outputs
    /// there are 0, the last state is the one after the sample's own last step.
    pub lengths: Option<&'a [usize]>,
}

/// A call: all tensors in the order in which they are inputs of the node.
#[derive(Debug)]
pub(super) struct Call<T: Real> {
    cell: Cell,
    reverse: bool,
    lengths: Option<Vec<usize>>,
    x: Tensor<T>,
    weight_ih: Tensor<T>,
    weight_hh: Tensor<T>,
    bias: Option<(Tensor<T>, Tensor<T>)>,
    h0: Option<Tensor<T>>,
    c0: Option<Tensor<T>>,
}

/// What backward needs.
struct Recurrent<T: Real> {
    call: Call<T>,
    states: SavedOutput<T>,
    gates: Buffer<T>,
    memory: Buffer<T>,
    unroll: fn(&Call<T>) -> Tensor<T>,
}

impl<T: Real> fmt::Debug for Recurrent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recurrent").field("call", &self.call).field("states", &self.states).finish_non_exhaustive()
    }
}

impl<T: Real> Call<T> {
    /// Checks the shapes and makes the call's tensors row-major.
    ///
    /// # Panics
    /// If a shape or a length does not match.
    #[track_caller]
    pub(super) fn new(
        info: &OpInfo,
        cell: Cell,
        x: &Tensor<T>,
        weights: &RecurrentWeights<'_, T>,
        state: (Option<&Tensor<T>>, Option<&Tensor<T>>),
        steps: Steps<'_>,
    ) -> Self {
        let RecurrentWeights { weight_ih, weight_hh, bias } = *weights;
        let gates = cell.gates();
        let hidden = if weight_hh.rank() == 2 { weight_hh.shape()[1] } else { 0 };
        let is = |tensor: &Tensor<T>, shape: &[usize]| tensor.shape()[..] == *shape;
        let rows = gates * hidden;
        let fits = x.rank() == 3
            && x.shape()[0] > 0
            && hidden > 0
            && is(weight_ih, &[rows, x.shape()[2]])
            && is(weight_hh, &[rows, hidden])
            && bias.is_none_or(|(ih, hh)| is(ih, &[rows]) && is(hh, &[rows]));
        let name = info.name;
        assert!(
            fits,
            "{name}: input {}, weight_ih {}, weight_hh {}, biases {:?}: they must be [L, N, F] with at least one step, \
             [{gates} H, F], [{gates} H, H] and [{gates} H]",
            x.shape(),
            weight_ih.shape(),
            weight_hh.shape(),
            bias.map(|(ih, hh)| (ih.shape(), hh.shape())),
        );
        let [length, batch] = [x.shape()[0], x.shape()[1]];
        for h in [state.0, state.1].into_iter().flatten() {
            assert!(is(h, &[batch, hidden]), "{name}: the state {} must be [{batch}, {hidden}]", h.shape());
        }
        if let Some(lengths) = steps.lengths {
            check_lengths(name, lengths, length, batch);
        }
        let own = |x: &Tensor<T>| x.to_row_major().with_node(x.node().cloned());
        let mut call = Call {
            cell,
            reverse: steps.reverse,
            lengths: steps.lengths.map(<[usize]>::to_vec),
            x: own(x),
            weight_ih: own(weight_ih),
            weight_hh: own(weight_hh),
            bias: bias.map(|(ih, hh)| (own(ih), own(hh))),
            h0: state.0.map(own),
            c0: state.1.map(own),
        };
        if let Some(valid) = call.valid() {
            // Whatever stands beyond the lengths, be it NaN, reaches no sum.
            call.x = Tensor::where_(&valid, &call.x, Tensor::scalar(T::ZERO));
        }
        call
    }

    /// Steps, samples and units.
    pub(super) fn sizes(&self) -> [usize; 3] {
        [self.x.shape()[0], self.x.shape()[1], self.weight_hh.shape()[1]]
    }

    /// The times of the steps in the order in which they are taken.
    fn times(&self) -> impl Iterator<Item = usize> + use<T> {
        let (length, reverse) = (self.x.shape()[0], self.reverse);
        (0..length).map(move |k| if reverse { length - 1 - k } else { k })
    }

    /// The node's inputs.
    fn tensors(&self) -> Vec<&Tensor<T>> {
        let bias = self.bias.iter().flat_map(|(ih, hh)| [ih, hh]);
        [&self.x, &self.weight_ih, &self.weight_hh].into_iter().chain(bias).chain(&self.h0).chain(&self.c0).collect()
    }

    /// The same call with other tensors in the places of [`tensors`](Call::tensors).
    fn with(&self, tensors: Vec<Tensor<T>>) -> Self {
        let mut tensors = tensors.into_iter();
        let mut next = || tensors.next().expect("as many tensors as there are inputs");
        Call {
            cell: self.cell,
            reverse: self.reverse,
            lengths: self.lengths.clone(),
            x: next(),
            weight_ih: next(),
            weight_hh: next(),
            bias: self.bias.as_ref().map(|_| (next(), next())),
            h0: self.h0.as_ref().map(|_| next()),
            c0: self.c0.as_ref().map(|_| next()),
        }
    }

    /// Calls a kernel with the numbers of all tensors.
    fn run<R>(&self, kernel: impl FnOnce(&Sequence<'_, T>) -> R) -> R {
        fn numbers<T: Real>(x: &Tensor<T>) -> &[T] {
            x.as_slice().expect("a call's tensors are row-major")
        }
        let [steps, batch, hidden] = self.sizes();
        kernel(&Sequence {
            cell: self.cell,
            steps,
            batch,
            inputs: self.x.shape()[2],
            hidden,
            reverse: self.reverse,
            lengths: self.lengths.as_deref(),
            x: numbers(&self.x),
            weight_ih: numbers(&self.weight_ih),
            weight_hh: numbers(&self.weight_hh),
            bias: self.bias.as_ref().map(|(ih, hh)| (numbers(ih), numbers(hh))),
            h0: self.h0.as_ref().map(numbers),
            c0: self.c0.as_ref().map(numbers),
        })
    }

    /// Whether a step lies within a sample's length, `[L, N, 1]`.
    fn valid(&self) -> Option<Mask> {
        let [length, batch, _] = self.sizes();
        self.lengths.as_ref().map(|lengths| Mask::from_fn([length, batch, 1], |i| i / batch < lengths[i % batch]))
    }

    /// Runs the call and records it. Returns the outputs of all steps, the last state, and an LSTM's last memory.
    ///
    /// `unroll` gives the node's value by plain operations.
    #[track_caller]
    pub(super) fn record(
        self,
        info: &'static OpInfo,
        unroll: fn(&Call<T>) -> Tensor<T>,
    ) -> (Tensor<T>, Tensor<T>, Option<Tensor<T>>) {
        let [length, batch, hidden] = self.sizes();
        let slab = batch * hidden;
        let (has_memory, last) = (self.cell == Cell::Lstm, if self.reverse { 0 } else { length - 1 });
        let mut value = Buffer::unspecified((length + usize::from(has_memory)) * slab);
        let mut memory = Buffer::unspecified(if has_memory { length * slab } else { 0 });
        let gates = self.run(|sequence| {
            let mut gates = Buffer::unspecified(sequence.gates_len());
            recurrent::forward(sequence, &mut value[..length * slab], &mut gates, &mut memory);
            gates
        });
        if has_memory {
            value[length * slab..].copy_from_slice(&memory[last * slab..(last + 1) * slab]);
        }
        let value = Tensor::from_buffer(value, [length + usize::from(has_memory), batch, hidden].into());
        let (states, valid, edges) = (SavedOutput::new(&value), self.valid(), edges_of(&self.tensors()));
        let saved = || {
            let keeps_gates = matches!(self.cell, Cell::Lstm | Cell::Gru);
            let gates = if keeps_gates { gates } else { Buffer::unspecified(0) };
            Recurrent { call: self, states, gates, memory, unroll }
        };
        let all = Tensor::from_edges(info, value, edges, saved);
        let outputs = if has_memory { all.narrow(0, 0, length) } else { all.clone() };
        let outputs = match valid {
            Some(valid) => Tensor::where_(&valid, outputs, Tensor::scalar(T::ZERO)),
            None => outputs,
        };
        (outputs, all.select(0, last), has_memory.then(|| all.select(0, length)))
    }

    /// The node's value by plain operations. `step` makes the next state and memory of the input's share of the gates, the
    /// state's share, both with their biases, and the state and the memory before.
    pub(super) fn unrolled(&self, step: impl Fn([&Tensor<T>; 4]) -> (Tensor<T>, Tensor<T>)) -> Tensor<T> {
        let [length, batch, hidden] = self.sizes();
        let (bias_ih, bias_hh) = self.bias.as_ref().map(|(ih, hh)| (ih, hh)).unzip();
        let inputs = self.x.linear(&self.weight_ih, bias_ih);
        let initial = |h: &Option<Tensor<T>>| h.clone().unwrap_or_else(|| Tensor::zeros([batch, hidden]));
        let (mut h, mut c) = (initial(&self.h0), initial(&self.c0));
        let mut states = vec![h.clone(); length];
        for time in self.times() {
            let (mut next_h, mut next_c) = step([&inputs.select(0, time), &h.linear(&self.weight_hh, bias_hh), &h, &c]);
            if let Some(lengths) = &self.lengths {
                let valid = Mask::from_fn([batch, 1], |sample| time < lengths[sample]);
                next_h = Tensor::where_(&valid, next_h, h);
                next_c = Tensor::where_(&valid, next_c, c);
            }
            (h, c) = (next_h, next_c);
            states[time] = h.clone();
        }
        if self.cell == Cell::Lstm {
            states.push(c);
        }
        Tensor::stack(&states.iter().collect::<Vec<_>>(), 0)
    }
}

/// # Panics
/// If there is not one length for each sample, from 1 to the number of steps.
#[track_caller]
fn check_lengths(name: &str, lengths: &[usize], steps: usize, batch: usize) {
    assert!(lengths.len() == batch, "{name}: {} lengths for {batch} samples", lengths.len());
    if let Some(sample) = lengths.iter().position(|&length| length == 0 || length > steps) {
        panic!(
            "{name}: the length {} of sample {sample} is not between 1 and {steps}, the steps there are",
            lengths[sample]
        );
    }
}

impl<T: Real> Op<T> for Recurrent<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        if inputs.is_tracked() {
            return self.backward_unrolled(&grad, inputs);
        }
        let tensors = self.call.tensors();
        let wanted = tensors.iter().enumerate().map(|(i, x)| inputs.needs(i).then(|| Buffer::unspecified(x.numel())));
        let mut wanted: Vec<Option<Buffer<T>>> = wanted.collect();
        let mut places = wanted.iter_mut().map(|buffer| buffer.as_deref_mut());
        let mut next = |is_there: bool| if is_there { places.next().flatten() } else { None };
        let has_bias = self.call.bias.is_some();
        let gradients = Gradients {
            x: next(true),
            weight_ih: next(true),
            weight_hh: next(true),
            bias_ih: next(has_bias),
            bias_hh: next(has_bias),
            h0: next(self.call.h0.is_some()),
            c0: next(self.call.c0.is_some()),
        };
        let (states, grad) = (self.states.value().to_slice(), grad.to_slice());
        let all_steps = self.call.sizes().iter().product();
        let (grad, grad_memory) = grad.split_at(all_steps);
        let saved = Saved { states: &states[..all_steps], gates: &self.gates, memory: &self.memory };
        let grad_memory = (!self.memory.is_empty()).then_some(grad_memory);
        self.call.run(|sequence| recurrent::backward(sequence, saved, grad, grad_memory, gradients));
        for (i, (gradient, x)) in wanted.into_iter().zip(tensors).enumerate() {
            if let Some(gradient) = gradient {
                inputs.add(i, || Tensor::from_buffer(gradient, x.shape().clone()));
            }
        }
    }
}

impl<T: Real> Recurrent<T> {
    /// The gradient of the unrolled form, recorded.
    fn backward_unrolled(&self, grad: &Tensor<T>, inputs: &mut Inputs<'_, T>) {
        // One input may depend on another. Stand-ins do not, so that no gradient flows twice.
        let stand_ins: Vec<Tensor<T>> = self.call.tensors().into_iter().map(stand_in).collect();
        let wanted: Vec<usize> = (0..inputs.len()).filter(|&i| inputs.needs(i)).collect();
        let value = (self.unroll)(&self.call.with(stand_ins.clone()));
        let wrt: Vec<&Tensor<T>> = wanted.iter().map(|&i| &stand_ins[i]).collect();
        let gradients = crate::grad(&(value * grad).sum(), &wrt, CreateGraph);
        for (i, gradient) in wanted.into_iter().zip(gradients) {
            inputs.add(i, || gradient);
        }
    }
}

static STAND_IN: OpInfo =
    OpInfo { name: "stand_in", equation: "y = x", derivative: "x' = y'", torch: "torch.Tensor.view_as" };

#[derive(Debug)]
struct StandIn;

impl<T: Real> Op<T> for StandIn {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || grad);
    }
}

/// The same tensor as a node of its own.
fn stand_in<T: Real>(x: &Tensor<T>) -> Tensor<T> {
    Tensor::from_op(&STAND_IN, x.detach(), &[x], || StandIn)
}

/// Gradient checks that all three operations share.
#[cfg(test)]
pub(super) mod testing {
    use super::{RecurrentWeights, Steps};
    use crate::Tensor;
    use crate::ops::check::{gradients, random};

    type State<'a> = Option<(&'a Tensor<f64>, &'a Tensor<f64>)>;

    /// Checks `call`, which returns the outputs of all steps and the last state, over sizes, directions, lengths, with and without
    /// biases and states, on contiguous and transposed inputs.
    #[track_caller]
    pub(in crate::ops) fn check(
        gates: usize,
        has_memory: bool,
        call: impl Fn(&Tensor<f64>, &RecurrentWeights<'_, f64>, State<'_>, Steps<'_>) -> (Tensor<f64>, Vec<Tensor<f64>>),
    ) {
        // Steps, samples, features, units.
        for (i, [length, batch, features, hidden]) in
            [[1, 1, 1, 1], [4, 2, 3, 2], [3, 3, 2, 3], [2, 0, 1, 2], [3, 2, 0, 2]].into_iter().enumerate()
        {
            let lengths: Vec<usize> = (0..batch).map(|sample| sample % length + 1).collect();
            for reverse in [false, true] {
                let steps = Steps { reverse, lengths: (i % 2 == 0).then_some(&lengths) };
                let x = random([batch, length, features], -1.0, 1.0);
                let (w_ih, w_hh) =
                    (random([gates * hidden, features], -1.0, 1.0), random([gates * hidden, hidden], -0.9, 0.9));
                let bias = random([2, gates * hidden], -0.4, 0.5);
                let state = random([2, batch, hidden], -0.8, 0.7);
                // All outputs side by side, so that gradients flow in on every way.
                let join = |(y, last): (Tensor<f64>, Vec<Tensor<f64>>)| {
                    let parts: Vec<Tensor<f64>> = [y].into_iter().chain(last).map(|x| x.reshape([x.numel()])).collect();
                    Tensor::cat(&parts.iter().collect::<Vec<_>>(), 0)
                };
                let plain = |v: &[Tensor<f64>]| {
                    let weights = RecurrentWeights { weight_ih: &v[1], weight_hh: &v[2], bias: None };
                    join(call(&v[0].transpose(0, 1), &weights, None, steps))
                };
                gradients(plain, &[&x, &w_ih, &w_hh]);
                let full = |v: &[Tensor<f64>]| {
                    let (b_ih, b_hh) = (v[3].select(0, 0), v[3].select(0, 1));
                    let weights =
                        RecurrentWeights { weight_ih: &v[1], weight_hh: &v[2].t(), bias: Some((&b_ih, &b_hh)) };
                    let (h, c) = (v[4].select(0, 0), v[4].select(0, 1));
                    join(call(&v[0].transpose(0, 1), &weights, Some((&h, &c)), steps))
                };
                let inputs = [&x, &w_ih, &Tensor::from(w_hh.t().to_array()), &bias, &state];
                if has_memory || i % 2 == 0 {
                    gradients(full, &inputs);
                }
                // The layer alone is fed: nothing is computed for the weights.
                let fixed = |v: &[Tensor<f64>]| plain(&[v[0].clone(), w_ih.clone(), w_hh.clone()]);
                gradients(fixed, &[&x]);
            }
        }
    }
}
