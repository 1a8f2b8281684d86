//! The rate of recurrent layers, forward and backward, in milliseconds and GFLOP/s, and what they keep for backward:
//! `cargo run --release -p chainrule-kernels --example recurrent_rate [steps batch inputs hidden]`
//!
//! `RAYON_NUM_THREADS=1` takes one thread. Each figure is the best of many runs.

use chainrule_kernels::Buffer;
use chainrule_kernels::recurrent::{Cell, Gradients, Saved, Sequence, backward, forward};
use std::time::Instant;

fn best(mut work: impl FnMut()) -> f64 {
    work();
    let start = Instant::now();
    let mut best = f64::INFINITY;
    while start.elapsed().as_secs_f64() < 1.0 {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).map(|x| x.parse().expect("a size")).collect();
    let [steps, batch, inputs, hidden] = sizes[..].try_into().unwrap_or([50, 32, 64, 256]);
    let array = |len: usize| {
        Buffer::from_slice(&(0..len).map(|i| ((i * 37 + 11) % 101) as f32 / 505.0 - 0.1).collect::<Vec<f32>>())
    };
    for cell in [Cell::Lstm, Cell::Gru, Cell::Tanh] {
        let rows = cell.gates() * hidden;
        let (x, weight_ih, weight_hh) = (array(steps * batch * inputs), array(rows * inputs), array(rows * hidden));
        let (bias_ih, bias_hh) = (array(rows), array(rows));
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
            bias: Some((&bias_ih, &bias_hh)),
            h0: None,
            c0: None,
        };
        let size = steps * batch * hidden;
        let (mut states, mut gates) = (Buffer::zeroed(size), Buffer::zeroed(sequence.gates_len()));
        let mut memory = Buffer::zeroed(if cell == Cell::Lstm { size } else { 0 });
        let ahead = best(|| forward(&sequence, &mut states, &mut gates, &mut memory));
        let (grad, saved) = (array(size), Saved { states: &states, gates: &gates, memory: &memory });
        let mut sums = [x.len(), weight_ih.len(), weight_hh.len(), rows, rows].map(Buffer::<f32>::zeroed);
        let mut run = |with_weights: bool| {
            best(|| {
                let [_, ih, hh, b_ih, b_hh] = sums.each_mut().map(|sum| &mut sum[..]);
                let mut gradients = Gradients::default();
                if with_weights {
                    (gradients.weight_ih, gradients.weight_hh) = (Some(ih), Some(hh));
                    (gradients.bias_ih, gradients.bias_hh) = (Some(b_ih), Some(b_hh));
                }
                backward(&sequence, saved, &grad, None, gradients);
            })
        };
        let (through_time, back) = (run(false), run(true));
        let product = |terms: usize| 2.0 * (steps * batch * rows * terms) as f64 / 1e9;
        let (all, state) = (product(inputs + hidden), product(hidden));
        let name = format!("{cell:?}");
        // Plain recurrent nets keep nothing but their states.
        let kept = if cell == Cell::Tanh { size } else { size + sequence.gates_len() + memory.len() };
        println!(
            "{name:5} forward {:7.3} ms {:6.1}   back through time {:7.3} ms {:6.1}   backward {:7.3} ms {:6.1}   keeps {:.2} MB",
            ahead * 1e3,
            all / ahead,
            through_time * 1e3,
            state / through_time,
            back * 1e3,
            (all + state) / back,
            (4 * kept) as f64 / 1e6
        );
    }
}
