//! Recurrent kernels: one step and a whole sequence of the `lstm_b32` workload, forward and backward through time.

use chainrule_kernels::recurrent::{Cell, Gradients, Saved, Sequence, backward, forward};
use criterion::{Criterion, Throughput};

mod common;

fn recurrent(criterion: &mut Criterion) {
    for (name, cell, steps, batch) in [
        ("lstm step, 32 samples", Cell::Lstm, 1, 32),
        ("lstm 50 steps, 32 samples", Cell::Lstm, 50, 32),
        ("lstm 50 steps, 1 sample", Cell::Lstm, 50, 1),
        ("gru 50 steps, 32 samples", Cell::Gru, 50, 32),
        ("rnn 50 steps, 32 samples", Cell::Tanh, 50, 32),
    ] {
        let (inputs, hidden, rows) = (64, 256, cell.gates() * 256);
        let numbers = |len: usize| (0..len).map(|i| ((i * 37 + 11) % 101) as f32 / 505.0 - 0.1).collect::<Vec<f32>>();
        let (x, h0) = (numbers(steps * batch * inputs), numbers(batch * hidden));
        let (weight_ih, weight_hh, bias) = (numbers(rows * inputs), numbers(rows * hidden), numbers(rows));
        let sequence = Sequence {
            cell,
            steps,
            batch,
            inputs,
            hidden,
            reverse: false,
            lengths: None,
            x: &x,
            weight_ih: &weight_ih,
            weight_hh: &weight_hh,
            bias: Some((&bias, &bias)),
            h0: Some(&h0),
            c0: None,
        };
        let size = steps * batch * hidden;
        let (mut states, mut gates) = (vec![0.0; size], vec![0.0; sequence.gates_len()]);
        let mut memory = vec![0.0; if cell == Cell::Lstm { size } else { 0 }];
        let grad = numbers(size);
        let (mut w_ih, mut w_hh) = (vec![0.0; weight_ih.len()], vec![0.0; weight_hh.len()]);
        let mut group = criterion.benchmark_group(format!("recurrent/{name}"));
        // Multiply-adds count twice.
        let flops = 2 * steps * batch * rows * (inputs + hidden);
        group.throughput(Throughput::Elements(flops as u64));
        group.bench_function("forward", |b| b.iter(|| forward(&sequence, &mut states, &mut gates, &mut memory)));
        group.throughput(Throughput::Elements((flops + 2 * steps * batch * rows * hidden) as u64));
        group.bench_function("backward", |b| {
            b.iter(|| {
                let saved = Saved { states: &states, gates: &gates, memory: &memory };
                let (weight_ih, weight_hh) = (Some(&mut w_ih[..]), Some(&mut w_hh[..]));
                backward(&sequence, saved, &grad, None, Gradients { weight_ih, weight_hh, ..Gradients::default() });
            });
        });
    }
}

fn main() {
    common::run(recurrent);
}
