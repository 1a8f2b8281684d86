//! Values against the definition, gradients against its finite differences, and the same bits at any number of threads.

use super::*;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// The arrays of a [`Sequence`]; those that a gradient belongs to come first.
#[derive(Clone)]
struct Problem {
    cell: Cell,
    sizes: [usize; 4],
    reverse: bool,
    lengths: Option<Vec<usize>>,
    /// `x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0`
    arrays: [Vec<f64>; 7],
    has_bias: bool,
    has_state: bool,
}

fn random(len: usize, rng: &mut SmallRng) -> Vec<f64> {
    // Exact in single precision, so that both see the same problem.
    (0..len).map(|_| f64::from((rng.random::<f32>() - 0.5) * 1.6)).collect()
}

impl Problem {
    fn new(cell: Cell, sizes: [usize; 4], variant: usize, rng: &mut SmallRng) -> Self {
        let [steps, batch, inputs, hidden] = sizes;
        let rows = cell.gates() * hidden;
        let lengths =
            [steps * batch * inputs, rows * inputs, rows * hidden, rows, rows, batch * hidden, batch * hidden];
        let mut arrays = lengths.map(|len| random(len, rng));
        // Large nets stay in the range where the gates are not flat.
        let scale = 1.0 / (hidden as f64).sqrt();
        arrays[2].iter_mut().for_each(|w| *w = f64::from((*w * scale) as f32));
        Problem {
            cell,
            sizes,
            reverse: variant & 1 == 1,
            lengths: (variant & 2 == 2).then(|| (0..batch).map(|_| rng.random_range(1..=steps)).collect()),
            arrays,
            has_bias: variant & 4 == 0,
            has_state: variant & 8 == 0,
        }
    }

    fn with<T: Real, R>(&self, call: impl FnOnce(&Sequence<'_, T>) -> R) -> R {
        let [steps, batch, inputs, hidden] = self.sizes;
        let arrays = self.arrays.each_ref().map(|x| x.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>());
        let [x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0] = &arrays;
        call(&Sequence {
            cell: self.cell,
            steps,
            batch,
            inputs,
            hidden,
            reverse: self.reverse,
            lengths: self.lengths.as_deref(),
            x,
            weight_ih,
            weight_hh,
            bias: self.has_bias.then_some((bias_ih, bias_hh)),
            h0: self.has_state.then_some(h0),
            c0: self.has_state.then_some(c0),
        })
    }

    /// Where the last memory stands.
    fn last(&self) -> std::ops::Range<usize> {
        let [steps, batch, _, hidden] = self.sizes;
        let time = if self.reverse { 0 } else { steps - 1 };
        time * batch * hidden..(time + 1) * batch * hidden
    }

    /// `sum(grad * states) + sum(grad_memory * last memory)`, by the definition.
    fn loss(&self, grad: &[f64], grad_memory: &[f64]) -> f64 {
        let (states, memory) = self.with(reference::forward);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        dot(&states, grad) + dot(&memory[self.last()], grad_memory)
    }

    /// States, the last memory, and all gradients.
    fn run<T: Real>(&self, grad: &[f64], grad_memory: &[f64]) -> Vec<Vec<f64>> {
        let cast = |x: &[f64]| x.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>();
        self.with::<T, _>(|sequence| {
            let mut states = vec![T::NAN; grad.len()];
            let mut gates = vec![T::NAN; sequence.gates_len()];
            let mut memory = vec![T::NAN; if self.cell == Cell::Lstm { grad.len() } else { 0 }];
            forward(sequence, &mut states, &mut gates, &mut memory);
            let saved = Saved { states: &states, gates: &gates, memory: &memory };
            let mut g = self.arrays.each_ref().map(|x| vec![T::NAN; x.len()]);
            let [x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0] = g.each_mut().map(|x| Some(&mut x[..]));
            let c0 = c0.filter(|_| self.cell == Cell::Lstm);
            let gradients = Gradients { x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0 };
            backward(sequence, saved, &cast(grad), Some(&cast(grad_memory)), gradients);
            if self.cell != Cell::Lstm {
                g[6].clear();
            }
            let last = if self.cell == Cell::Lstm { memory[self.last()].to_vec() } else { Vec::new() };
            [states, last].iter().chain(&g).map(|x| back(x)).collect()
        })
    }
}

fn back<T: Real>(x: &[T]) -> Vec<f64> {
    x.iter().map(|x| x.to_f64()).collect()
}

#[track_caller]
fn close(ours: &[f64], theirs: &[f64], tolerance: f64, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{what}: element {i} is {a}, not {b}");
    }
}

const CELLS: [Cell; 4] = [Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru];

#[test]
fn all_shapes_agree_with_the_definition() {
    let mut rng = SmallRng::seed_from_u64(3);
    // Steps, samples, features, units: with and without tails, one of each, none of what may be missing.
    let shapes =
        [[1, 1, 1, 1], [3, 2, 4, 5], [4, 1, 3, 37], [2, 5, 0, 16], [5, 3, 2, 33], [3, 0, 2, 4], [6, 40, 9, 40]];
    for (i, &sizes) in shapes.iter().enumerate() {
        for cell in CELLS {
            for variant in 0..16 {
                let problem = Problem::new(cell, sizes, variant, &mut rng);
                let what = format!("{cell:?} {sizes:?}, variant {variant}");
                let grad = random(sizes[0] * sizes[1] * sizes[3], &mut rng);
                let grad_memory = if cell == Cell::Lstm {
                    random(sizes[1] * sizes[3], &mut rng)
                } else {
                    vec![0.0; sizes[1] * sizes[3]]
                };
                let (states, memory) = problem.with(reference::forward);
                let double = problem.run::<f64>(&grad, &grad_memory);
                close(&double[0], &states, 1e-13, &what);
                if cell == Cell::Lstm {
                    close(&double[1], &memory[problem.last()], 1e-13, &what);
                }
                // The kink of the rectifier and the long sums of the largest shape leave less certainty.
                if cell != Cell::Relu && i < 6 {
                    gradients_are_slopes(&problem, &double[2..], &grad, &grad_memory, &what);
                }
                for (single, double) in problem.run::<f32>(&grad, &grad_memory).iter().zip(&double) {
                    close(single, double, 1e-4, &format!("{what} in single precision"));
                }
            }
        }
    }
}

/// Along a random direction of each array, the gradient gives the slope of the loss.
#[track_caller]
fn gradients_are_slopes(problem: &Problem, gradients: &[Vec<f64>], grad: &[f64], grad_memory: &[f64], what: &str) {
    let mut rng = SmallRng::seed_from_u64(8);
    for (i, gradient) in gradients.iter().enumerate() {
        if gradient.is_empty() {
            continue;
        }
        let direction = random(gradient.len(), &mut rng);
        let at = |step: f64| {
            let mut moved = problem.clone();
            moved.arrays[i].iter_mut().zip(&direction).for_each(|(x, d)| *x += step * d);
            moved.loss(grad, grad_memory)
        };
        let used = (problem.has_bias || !(3..5).contains(&i)) && (problem.has_state || i < 5);
        let slope: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
        let h = 1e-4;
        let numeric = (at(-2.0 * h) - 8.0 * at(-h) + 8.0 * at(h) - at(2.0 * h)) / (12.0 * h);
        assert!(
            !used || (slope - numeric).abs() < 1e-8 * (1.0 + numeric.abs()),
            "{what}: array {i}: {slope}, finite differences {numeric}"
        );
    }
}

#[test]
fn the_slope_of_the_rectifier() {
    let mut rng = SmallRng::seed_from_u64(5);
    let problem = Problem::new(Cell::Relu, [4, 2, 3, 6], 0, &mut rng);
    let grad = random(48, &mut rng);
    gradients_are_slopes(&problem, &problem.run::<f64>(&grad, &[])[2..], &grad, &[0.0; 12], "relu");
}

#[test]
fn nothing_reaches_behind_a_sample() {
    let mut rng = SmallRng::seed_from_u64(6);
    for cell in CELLS {
        for reverse in [false, true] {
            let mut problem = Problem::new(cell, [5, 2, 3, 4], 0, &mut rng);
            (problem.lengths, problem.reverse) = (Some(vec![5, 2]), reverse);
            let results = problem.run::<f64>(&random(40, &mut rng), &[0.0; 8]);
            // The second sample's inputs from step 2 on.
            let padding = |x: &[f64]| (2..5).flat_map(|t| x[(t * 2 + 1) * 3..][..3].to_vec()).collect::<Vec<f64>>();
            assert!(padding(&results[2]).iter().all(|&g| g == 0.0), "{cell:?}");
            for t in 2..5 {
                problem.arrays[0][(t * 2 + 1) * 3] = 1e3;
            }
            assert_eq!(problem.run::<f64>(&[0.0; 40], &[0.0; 8])[0], results[0]);
        }
    }
}

#[cfg(feature = "rayon")]
#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let mut rng = SmallRng::seed_from_u64(7);
    for (cell, batch) in [(Cell::Lstm, 70), (Cell::Gru, 5), (Cell::Tanh, 2), (Cell::Lstm, 1)] {
        let problem = Problem::new(cell, [12, batch, 20, 130], 2, &mut rng);
        let grad = random(12 * batch * 130, &mut rng);
        let grad_memory = random(batch * 130, &mut rng);
        let results = [1, 2, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
            pool.install(|| problem.run::<f32>(&grad, &grad_memory))
        });
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{cell:?}");
    }
}

#[test]
#[should_panic(expected = "recurrent: weight_hh has another size")]
fn sizes_without_samples_do_not_wrap() {
    let mut rng = SmallRng::seed_from_u64(8);
    let problem = Problem { sizes: [1, 0, 0, 1 << 62], ..Problem::new(Cell::Lstm, [1, 0, 0, 1], 0, &mut rng) };
    problem.with::<f32, _>(|sequence| forward(sequence, &mut [], &mut [], &mut []));
}
