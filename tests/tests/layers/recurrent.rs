//! Recurrent layers and cells of all kinds, and twenty steps of training.

use crate::passes::{derivatives, load};
use crate::training::optimizer;
use chainrule_layers::{Gru, GruCell, Linear, Lstm, LstmCell, LstmState, Mode, Module, RecurrentBuilder, Rnn, RnnCell};
use chainrule_tensor::ops::RnnActivation;
use chainrule_tensor::{Real, Rng, Tensor};
use chainrule_tests::fixture::Params;
use chainrule_tests::record::{Record, Results};

/// A layer of any kind.
#[derive(Module)]
#[module(crate = chainrule_layers)]
enum Layers<T: Real> {
    Rnn(#[module(flatten)] Rnn<T>),
    Gru(#[module(flatten)] Gru<T>),
    Lstm(#[module(flatten)] Lstm<T>),
}

fn build<T: Real>(params: &Params) -> Layers<T> {
    let (features, hidden) = (params.get("input_size"), params.get("hidden_size"));
    let relu = params.get::<String>("activation") == "relu";
    let activation = if relu { RnnActivation::Relu } else { RnnActivation::Tanh };
    fn set<M, T: Real>(builder: RecurrentBuilder<M, T>, params: &Params) -> M {
        let builder = builder.layers(params.get("num_layers")).bidirectional(params.get("bidirectional"));
        let builder = builder.bias(params.get("bias")).batch_first(params.get("batch_first"));
        builder.build(&mut Rng::seed_from_u64(1))
    }
    match params.get::<String>("mode").as_str() {
        "RNN" => Layers::Rnn(set(Rnn::builder(features, hidden).activation(activation), params)),
        "GRU" => Layers::Gru(set(Gru::builder(features, hidden), params)),
        "LSTM" => Layers::Lstm(set(Lstm::builder(features, hidden), params)),
        other => panic!("unknown kind {other}"),
    }
}

impl<T: Real> Layers<T> {
    /// The outputs and the last state.
    fn forward(&self, x: &Tensor<T>, lengths: Option<&[usize]>, state: &[Tensor<T>]) -> Vec<Tensor<T>> {
        let mode = &mut Mode::Eval;
        match self {
            Layers::Rnn(rnn) => {
                let h = state.first();
                let (y, h) = match lengths {
                    Some(lengths) => rnn.forward_padded(x, lengths, h, mode),
                    None => rnn.forward(x, h, mode),
                };
                vec![y, h]
            }
            Layers::Gru(gru) => {
                let h = state.first();
                let (y, h) = match lengths {
                    Some(lengths) => gru.forward_padded(x, lengths, h, mode),
                    None => gru.forward(x, h, mode),
                };
                vec![y, h]
            }
            Layers::Lstm(lstm) => {
                let state = state.first().map(|h| LstmState { h: h.clone(), c: state[1].clone() });
                let (y, state) = match lengths {
                    Some(lengths) => lstm.forward_padded(x, lengths, state.as_ref(), mode),
                    None => lstm.forward(x, state.as_ref(), mode),
                };
                vec![y, state.h, state.c]
            }
        }
    }
}

/// A layer of any depth: the outputs of all steps and the last state.
pub(crate) fn layer<T: Real>(record: &Record) -> Results<T> {
    let mut layers = build::<T>(&record.params);
    load(record, &mut layers);
    let lengths: Option<Vec<usize>> = record.params.get("lengths");
    derivatives(record, &layers, |x| layers.forward(&x[0], lengths.as_deref(), &x[1..]))
}

/// One step: the next state.
pub(crate) fn cell<T: Real>(record: &Record) -> Results<T> {
    let (rng, bias) = (&mut Rng::seed_from_u64(1), record.params.get("bias"));
    match record.params.get::<String>("mode").as_str() {
        "RNNCell" => {
            let mut cell = RnnCell::<T>::with(3, 2, RnnActivation::Tanh, bias, rng);
            load(record, &mut cell);
            derivatives(record, &cell, |x| vec![cell.forward(&x[0], x.get(1))])
        }
        "GRUCell" => {
            let mut cell = GruCell::<T>::with(3, 2, bias, rng);
            load(record, &mut cell);
            derivatives(record, &cell, |x| vec![cell.forward(&x[0], x.get(1))])
        }
        "LSTMCell" => {
            let mut cell = LstmCell::<T>::with(3, 2, bias, rng);
            load(record, &mut cell);
            derivatives(record, &cell, |x| {
                let state = x.get(1).map(|h| LstmState { h: h.clone(), c: x[2].clone() });
                let state = cell.forward(&x[0], state.as_ref());
                vec![state.h, state.c]
            })
        }
        other => panic!("unknown kind {other}"),
    }
}

#[derive(Module)]
#[module(crate = chainrule_layers)]
struct Net<T: Real> {
    rnn: Layers<T>,
    fc: Linear<T>,
}

/// Twenty steps: losses, and the state in the end.
pub(crate) fn train<T: Real>(record: &Record) -> Results<T> {
    let rnn = build::<T>(&record.params);
    let features = if record.params.get("bidirectional") { 6 } else { 3 };
    let mut net = Net { rnn, fc: Linear::new(features, 1, &mut Rng::seed_from_u64(1)) };
    load(record, &mut net);
    let lengths: Option<Vec<usize>> = record.params.get("lengths");
    let mut optimizer = optimizer::<T>(&record.params);
    let inputs = record.inputs::<T>();
    let mut losses = Vec::new();
    for _ in 0..20 {
        let y = net.rnn.forward(&inputs[0], lengths.as_deref(), &[]).remove(0);
        let loss = net.fc.forward(&y).mse_loss(&inputs[1]);
        losses.push(loss.item());
        let grads = loss.backward();
        drop(loss);
        optimizer.step(&mut net, &grads);
    }
    let state = net.state_dict();
    let after = state.iter().map(|(name, x)| (format!("after.{name}"), x.clone()));
    [("losses".to_string(), Tensor::from(losses))].into_iter().chain(after).collect()
}
