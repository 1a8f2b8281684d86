//! A pass through a module: its outputs, buffers, first and second derivatives.

use crate::nets::build;
use chainrule_layers::{Layer, Lstm, LstmCell, LstmState, Mode, Module};
use chainrule_tensor::{CreateGraph, FreeGraph, Gradients, Real, Rng, Tensor, grad, no_grad};
use chainrule_tests::compare::direction;
use chainrule_tests::record::{Record, Results};

/// One layer or net, fed with each of the inputs in turn.
pub(crate) fn layer<T: Real>(record: &Record) -> Results<T> {
    let mut rng = Rng::seed_from_u64(1);
    let mut net = build::<T>(&record.params.get("net"), &mut rng);
    let train: bool = record.params.get("train");
    load(record, &mut net);
    derivatives(record, &net, |x| {
        let mut rng = Rng::seed_from_u64(2);
        let mut mode = if train { Mode::Train(&mut rng) } else { Mode::Eval };
        x.iter().map(|x| net.call(x, &mut mode)).collect()
    })
}

/// One step of an LSTM, from a given state or from none: the next state.
pub(crate) fn lstm_cell<T: Real>(record: &Record) -> Results<T> {
    let mut cell =
        LstmCell::<T>::new(record.params.get("features"), record.params.get("hidden"), &mut Rng::seed_from_u64(1));
    load(record, &mut cell);
    derivatives(record, &cell, |x| {
        let state = x.get(1).map(|h| LstmState { h: h.clone(), c: x[2].clone() });
        let state = cell.forward(&x[0], state.as_ref());
        vec![state.h, state.c]
    })
}

/// A sequence: the outputs of all steps and the last state.
pub(crate) fn lstm<T: Real>(record: &Record) -> Results<T> {
    let mut lstm =
        Lstm::<T>::new(record.params.get("features"), record.params.get("hidden"), &mut Rng::seed_from_u64(1));
    load(record, &mut lstm);
    derivatives(record, &lstm, |x| {
        let state = x.get(1).map(|h| LstmState { h: h.unsqueeze(0), c: x[2].unsqueeze(0) });
        let (outputs, state) = lstm.forward(&x[0], state.as_ref(), &mut Mode::Eval);
        vec![outputs, state.h.squeeze(0), state.c.squeeze(0)]
    })
}

/// Which pixels the largest output of each sample depends on, in a net whose parameters are all frozen.
pub(crate) fn saliency<T: Real>(record: &Record) -> Results<T> {
    let mut net = build::<T>(&record.params.get("net"), &mut Rng::seed_from_u64(1));
    load(record, &mut net);
    net.parameters_mut().into_iter().for_each(|param| param.freeze());
    let x = record.inputs()[0].requires_grad();
    let y = net.call(&x, &mut Mode::Eval);
    let largest: Vec<usize> = y.argmax(1);
    let weights = Tensor::one_hot(&largest, y.shape()[1]);
    let gradient = grad(&(y * weights).sum(), &[&x], FreeGraph).remove(0);
    vec![("g.x0".into(), gradient)]
}

pub(crate) fn load<T: Real>(record: &Record, module: &mut (impl Module<T> + ?Sized)) {
    module.load_state_dict(&record.state()).unwrap_or_else(|error| panic!("{}: {error}", record.name));
}

/// All that PyTorch computed, through the untracked, the fused and the tracked passes.
pub(crate) fn derivatives<T: Real>(
    record: &Record,
    module: &dyn Module<T>,
    forward: impl Fn(&[Tensor<T>]) -> Vec<Tensor<T>>,
) -> Results<T> {
    let mut results = Results::new();
    let x: Vec<Tensor<T>> = record.inputs().into_iter().map(|x| x.requires_grad()).collect();
    let outputs = |ys: Vec<Tensor<T>>| ys.into_iter().enumerate().map(|(k, y)| (format!("y{k}"), y));

    results.extend(outputs(no_grad(|| forward(&x))));
    // Training moves buffers on, but does not read them: what follows may repeat the pass.
    let parameters: Vec<(String, Tensor<T>)> =
        module.named_parameters().into_iter().map(|(name, param)| (name, (**param).clone())).collect();
    let is_buffer = |name: &str| parameters.iter().all(|(other, _)| other != name);
    let state = module.state_dict();
    let buffers = state.iter().filter(|(name, _)| is_buffer(name));
    results.extend(buffers.map(|(name, value)| (format!("after.{name}"), value.clone())));
    results.extend(outputs(forward(&x)));

    let wrt: Vec<(String, Tensor<T>)> =
        x.iter().enumerate().map(|(i, x)| (format!("x{i}"), x.clone())).chain(parameters).collect();
    let loss = || {
        let parts = forward(&x).into_iter().enumerate().map(|(k, y)| (&y * direction(y.shape(), k)).sum());
        parts.reduce(|a, b| a + b).expect("an output")
    };
    let stored = |grads: &Gradients<T>, v: &Tensor<T>| grads.get(v).cloned().unwrap_or_else(|| Tensor::zeros_like(v));
    let fused = loss().backward();
    results.extend(wrt.iter().map(|(name, v)| (format!("g.{name}"), stored(&fused, v))));

    let leaves: Vec<&Tensor<T>> = wrt.iter().map(|(_, v)| v).collect();
    let first = grad(&loss(), &leaves, CreateGraph);
    let second = first.iter().enumerate().map(|(j, g)| (g * direction(g.shape(), j + 1)).sum());
    let second = second.reduce(|a, b| a + b).expect("an input");
    let second = if second.is_tracked() { second.backward() } else { Gradients::default() };
    results.extend(wrt.iter().zip(&first).map(|((name, _), g)| (format!("g.{name}"), g.clone())));
    results.extend(wrt.iter().map(|(name, v)| (format!("h.{name}"), stored(&second, v))));
    results
}
