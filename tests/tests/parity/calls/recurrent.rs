//! Recurrent layers.

use super::Results;
use chainrule_tensor::ops::{RecurrentWeights, RnnActivation, Steps};
use chainrule_tensor::{Real, Tensor};
use chainrule_tests::fixture::Params;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    if !["rnn", "gru", "lstm"].contains(&op) {
        return None;
    }
    let has_bias: bool = p.get("bias");
    let bias = has_bias.then(|| (&x[3], &x[4]));
    let weights = RecurrentWeights { weight_ih: &x[1], weight_hh: &x[2], bias };
    let state = &x[if has_bias { 5 } else { 3 }..];
    let lengths: Option<Vec<usize>> = p.get("lengths");
    let steps = Steps { reverse: p.get("reverse"), lengths: lengths.as_deref() };
    let results = match op {
        "rnn" => {
            let relu = p.get::<String>("activation") == "relu";
            let activation = if relu { RnnActivation::Relu } else { RnnActivation::Tanh };
            let (y, h) = x[0].rnn(&weights, activation, state.first(), steps);
            vec![y, h]
        }
        "gru" => {
            let (y, h) = x[0].gru(&weights, state.first(), steps);
            vec![y, h]
        }
        _ => {
            let (y, (h, c)) = x[0].lstm(&weights, state.first().zip(state.get(1)), steps);
            vec![y, h, c]
        }
    };
    let flat: Vec<Tensor<T>> = results.iter().map(|x| x.reshape([x.numel()])).collect();
    Some((Tensor::cat(&flat.iter().collect::<Vec<_>>(), 0), Vec::new()))
}
