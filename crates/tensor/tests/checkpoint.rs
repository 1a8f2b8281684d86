//! Checkpointed segments compute what recorded ones do, bit for bit.

use chainrule_tensor::{
    CreateGraph, FreeGraph, Gradients, KeepGraph, Rng, Tensor, checkpoint, checkpoint_with, grad, gradcheck,
    gradgradcheck, no_grad,
};

fn leaf(shape: [usize; 2], seed: u64) -> Tensor {
    Tensor::randn(shape, &mut Rng::seed_from_u64(seed)).requires_grad()
}

/// A layer with dropout.
fn layer(x: &Tensor, w: &Tensor, rng: &mut Rng) -> Tensor {
    x.matmul(w).tanh().dropout(0.3, rng) + x
}

fn bits(grads: &Gradients, leaves: &[&Tensor]) -> Vec<Vec<u32>> {
    let of = |leaf: &&Tensor| grads.get(leaf).expect("a gradient").to_vec().iter().map(|x| x.to_bits()).collect();
    leaves.iter().map(of).collect()
}

#[test]
fn gradients_have_the_same_bits() {
    let (x, v, w) = (leaf([5, 4], 1), leaf([4, 4], 2), leaf([4, 4], 3));
    // One parameter is used by two segments and between them.
    let run = |kind: &str| {
        let mut rng = Rng::seed_from_u64(4);
        let segment = |x: &Tensor, rng: &mut Rng| {
            let (v, w) = (v.clone(), w.clone());
            let f = move |x: &[Tensor], rng: &mut Rng| layer(&layer(&x[0], &v, rng), &w, rng);
            match kind {
                "recorded" => f(std::slice::from_ref(x), rng),
                "checkpoint" => checkpoint_with(&[x], rng, f),
                _ => checkpoint_with(&[x], rng, move |x, rng| {
                    let f = f.clone();
                    checkpoint_with(&[&x[0]], rng, f).exp().log()
                }),
            }
        };
        let y = segment(&(segment(&x, &mut rng).matmul(&w) * 0.1), &mut rng);
        let grads = (&y * &y).sum().backward();
        (y.to_vec(), bits(&grads, &[&x, &v, &w]), rng)
    };
    assert_eq!(run("recorded"), run("checkpoint"));
    let (recorded, nested) = (run("recorded"), run("nested"));
    assert_eq!(recorded.2, nested.2, "the random numbers go on alike");
    assert_eq!(nested.1, run("nested").1);
}

#[test]
fn nested_checkpoints_agree_with_one() {
    let (x, w) = (leaf([3, 4], 1), leaf([4, 4], 2));
    let run = |nested: bool| {
        let w = w.clone();
        let y = checkpoint(&[&x], move |x| {
            let (h, inner) = (x[0].matmul(&w).tanh(), w.clone());
            let deep = move |x: &[Tensor]| x[0].matmul(&inner).sigmoid();
            let h = if nested { checkpoint(&[&h], deep) } else { deep(&[h]) };
            h.matmul(&w)
        });
        y.sum().backward()
    };
    assert_eq!(bits(&run(true), &[&x, &w]), bits(&run(false), &[&x, &w]));
}

#[test]
fn derivatives_are_right_to_second_order() {
    let (x, w) = (Tensor::from([[0.3f64, -0.8], [1.1, 0.4]]), Tensor::from([[0.5f64, 0.2], [-0.7, 0.9]]));
    let f = |inputs: &[Tensor<f64>]| {
        let held = inputs[1].clone();
        let inner = checkpoint(&[&inputs[0]], move |x| (x[0].matmul(&held) * &x[0]).tanh());
        checkpoint(&[&inner, &inputs[1]], |x| x[0].matmul(&x[1]).exp())
    };
    gradcheck(f, &[&x, &w]).unwrap();
    gradgradcheck(f, &[&x, &w]).unwrap();
}

#[test]
fn gradients_of_single_tensors() {
    let (x, w) = (Tensor::from([0.5f64, 1.0]).requires_grad(), Tensor::from([2.0f64, 3.0]).requires_grad());
    // Captured: a leaf, and a result that depends on it.
    let (held, doubled) = (w.clone(), &w * 2.0);
    let between = doubled.clone();
    let y = checkpoint(&[&x], move |x| &x[0] * &held + &between).sum();
    let one = |wrt: &Tensor<f64>| grad(&y, &[wrt], KeepGraph)[0].to_vec();
    assert_eq!(one(&w), [2.5, 3.0]);
    assert_eq!(one(&doubled), [1.0, 1.0]);
    assert_eq!(one(&x), [2.0, 3.0]);
    let second = grad(&grad(&y, &[&x], CreateGraph)[0].sum(), &[&w], FreeGraph);
    assert_eq!(second[0].to_vec(), [1.0, 1.0]);
}

#[test]
fn untracked_inputs_and_passes() {
    let (x, w) = (Tensor::from([0.5f32, 1.0]), Tensor::from([2.0f32, 3.0]).requires_grad());
    let product = |x: &Tensor| {
        let w = w.clone();
        checkpoint(&[x], move |x| (&x[0] * &w).exp())
    };
    // The data needs no gradient, the parameter does.
    let recorded = (&x * &w).exp().sum().backward();
    assert_eq!(product(&x).sum().backward().get(&w).unwrap().to_vec(), recorded.get(&w).unwrap().to_vec());
    assert!(!no_grad(|| product(&x)).is_tracked());
    assert!(!checkpoint(&[&x], |x| x[0].exp()).is_tracked());
    // A segment that does nothing.
    let same = checkpoint(&[&w], |x| x[0].clone());
    assert_eq!(same.sum().backward().get(&w).unwrap().to_vec(), [1.0, 1.0]);
}

#[test]
fn hooks_run_once_a_pass() {
    let x = Tensor::from([1.0f32]).requires_grad();
    x.register_hook(|g| Some(g * 10.0));
    let y = checkpoint(&[&x], |x| (&x[0] * 3.0).exp().log());
    let gradient = y.sum().backward().get(&x).unwrap().item();
    assert!((gradient - 30.0).abs() < 1e-4, "{gradient}");
}

#[test]
#[should_panic(expected = "checkpoint: the segment gave shape [2] at first and [1] when it was run again")]
fn segments_must_repeat() {
    let count = std::sync::atomic::AtomicUsize::new(3);
    let x = Tensor::from([1.0f32, 2.0, 3.0]).requires_grad();
    let y = checkpoint(&[&x], move |x| {
        let n = count.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) - 1;
        x[0].narrow(0, 0, n) * 2.0
    });
    y.sum().backward();
}
