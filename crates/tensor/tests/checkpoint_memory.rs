//! A checkpoint keeps its inputs only. Alone in its file, since it counts the memory of the process.

use chainrule_kernels::buffer;
use chainrule_tensor::{Gradients, Tensor, checkpoint};

/// Operations in a segment, and segments.
const DEPTH: usize = 8;

/// A chain of 64 operations on 1 MiB each.
fn segment(x: &Tensor) -> Tensor {
    (0..DEPTH).fold(x.clone(), |x, _| x.tanh())
}

/// The memory that the recorded chain keeps, the most that was ever in use, both in MiB, and the gradients.
fn run(x: &Tensor, checkpointed: bool) -> (usize, usize, Gradients) {
    let idle = buffer::live_bytes();
    buffer::trim();
    let step = |x: Tensor, _| if checkpointed { checkpoint(&[&x], |x| segment(&x[0])) } else { segment(&x) };
    let y = (0..DEPTH).fold(x.clone(), step);
    let kept = buffer::live_bytes() - idle;
    let grads = y.sum().backward();
    (kept >> 20, (buffer::peak_bytes() - idle) >> 20, grads)
}

#[test]
fn memory_grows_with_the_root_of_the_depth() {
    let x = Tensor::<f32>::full([1 << 18], 0.75).requires_grad();
    let (kept, peak, grads) = run(&x, false);
    assert!((64..=66).contains(&kept) && peak >= kept, "recorded: {kept} MiB kept, at most {peak} MiB");
    let (kept, peak, same) = run(&x, true);
    // The results of 8 segments; in the backward pass the 8 operations of one, and gradients.
    assert!((8..=10).contains(&kept), "checkpointed: {kept} MiB kept");
    assert!(peak <= 22, "checkpointed: at most {peak} MiB");
    assert_eq!(grads.get(&x).unwrap().to_vec(), same.get(&x).unwrap().to_vec());
}
