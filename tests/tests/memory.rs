//! Training holds flat memory, however long it runs.

use chainrule_kernels::buffer::system_allocations;
use chainrule_tensor::{Gradients, Rng, Tensor};

/// A net 2-16-1 that learns the product of two signs.
struct Net {
    parameters: [Tensor; 4],
}

impl Net {
    fn new(rng: &mut Rng) -> Self {
        let mut uniform = |shape: &[usize]| Tensor::uniform(shape, -0.7, 0.7, rng).requires_grad();
        Net { parameters: [uniform(&[16, 2]), uniform(&[16]), uniform(&[1, 16]), uniform(&[1])] }
    }

    fn loss(&self, x: &Tensor, y: &Tensor) -> Tensor {
        let [w1, b1, w2, b2] = &self.parameters;
        x.linear(w1, Some(b1)).tanh().linear(w2, Some(b2)).mse_loss(y)
    }

    fn step(&mut self, grads: &Gradients, rate: f32) {
        for parameter in &mut self.parameters {
            let slope = grads.get(parameter).expect("the loss depends on every parameter");
            let slope = slope.as_slice().expect("a gradient without gaps");
            for (p, g) in parameter.make_mut().iter_mut().zip(slope) {
                *p -= rate * g;
            }
        }
    }
}

/// The memory of this process that is resident, in bytes; 0 where the system does not tell.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|line| line.split(' ').nth(1)?.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

#[test]
fn a_hundred_thousand_steps_hold_flat_memory() {
    let mut rng = Rng::seed_from_u64(1);
    let mut net = Net::new(&mut rng);
    let x = Tensor::from([[-1.0f32, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]);
    let y = Tensor::from([[1.0f32], [-1.0], [-1.0], [1.0]]);
    let (mut last, mut early, mut blocks) = (f32::INFINITY, 0, 0);
    for step in 1..=100_000 {
        let loss = net.loss(&x, &y);
        let grads = loss.backward();
        net.step(&grads, 0.05);
        last = loss.item();
        if step == 2 {
            blocks = system_allocations();
        }
        if step == 10_000 {
            early = resident();
        }
    }
    assert!(last < 1e-3, "the net did not learn: its loss is {last}");
    assert_eq!(system_allocations(), blocks, "buffers taken from the system after the second step");
    let grown = resident().saturating_sub(early);
    // The allocator of the system may keep a little more; a leak of 8 bytes a step would be 720 KB.
    assert!(grown < 256 << 10, "{grown} bytes more are resident after 100 000 steps than after 10 000");
}
