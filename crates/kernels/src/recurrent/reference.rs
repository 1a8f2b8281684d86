//! The definition of the recurrent layers, one number after another, for tests to compare with.

use super::{Cell, Sequence};

/// The states after every step, `[steps, batch, hidden]`, and an LSTM's memory (else zeros).
pub fn forward(sequence: &Sequence<'_, f64>) -> (Vec<f64>, Vec<f64>) {
    let Sequence { cell, steps, batch, inputs, hidden, .. } = *sequence;
    let size = steps * batch * hidden;
    let (mut states, mut memory) = (vec![0.0; size], vec![0.0; size]);
    for sample in 0..batch {
        let initial = |x: Option<&[f64]>| x.map_or(vec![0.0; hidden], |x| x[sample * hidden..][..hidden].to_vec());
        let (mut h, mut c) = (initial(sequence.h0), initial(sequence.c0));
        for k in 0..steps {
            let time = sequence.time(k);
            let row = time * batch + sample;
            if sequence.lengths.is_none_or(|lengths| time < lengths[sample]) {
                let x = &sequence.x[row * inputs..][..inputs];
                let before = h.clone();
                for unit in 0..hidden {
                    // A gate's shares of the input and of the state, with their biases.
                    let shares = |gate: usize| {
                        let at = gate * hidden + unit;
                        let dot = |w: &[f64], x: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
                        let (b_ih, b_hh) = sequence.bias.map_or((0.0, 0.0), |(ih, hh)| (ih[at], hh[at]));
                        let input = dot(&sequence.weight_ih[at * inputs..][..inputs], x) + b_ih;
                        (input, dot(&sequence.weight_hh[at * hidden..][..hidden], &before) + b_hh)
                    };
                    let whole = |gate: usize| shares(gate).0 + shares(gate).1;
                    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
                    match cell {
                        Cell::Tanh => h[unit] = whole(0).tanh(),
                        Cell::Relu => h[unit] = whole(0).max(0.0),
                        Cell::Lstm => {
                            c[unit] = sigmoid(whole(1)) * c[unit] + sigmoid(whole(0)) * whole(2).tanh();
                            h[unit] = sigmoid(whole(3)) * c[unit].tanh();
                        }
                        Cell::Gru => {
                            let (r, z, (input, state)) = (sigmoid(whole(0)), sigmoid(whole(1)), shares(2));
                            h[unit] = (1.0 - z) * (input + r * state).tanh() + z * before[unit];
                        }
                    }
                }
            }
            states[row * hidden..][..hidden].copy_from_slice(&h);
            memory[row * hidden..][..hidden].copy_from_slice(&c);
        }
    }
    (states, memory)
}
