//! The graph seen from outside: order of visits, freeing, hooks, modes, pictures, custom operations.

use chainrule_tensor::graph::HookHandle;
use chainrule_tensor::{CreateGraph, FreeGraph, KeepGraph, Tensor, detect_anomaly, grad, no_grad};
use std::sync::{Arc, Mutex};

fn leaf(values: &[f64]) -> Tensor<f64> {
    Tensor::from(values).requires_grad()
}

/// The message of a panic in `call`.
fn panic_message(call: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let payload = std::panic::catch_unwind(call).expect_err("the call panics");
    payload.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn a_diamond_sums_both_paths() {
    let x = leaf(&[3.0]);
    let a = &x * 2.0;
    let b = a.exp();
    let y = (&a * &b + &a).sum();
    let expected = 2.0 * ((6f64).exp() * 7.0 + 1.0);
    assert!((y.backward().get(&x).unwrap().item() / expected - 1.0).abs() < 1e-14);
}

#[test]
fn untracked_work_gives_no_gradients() {
    let (x, c) = (leaf(&[1.0]), Tensor::from([2.0]));
    assert!(!(&c * &c).is_tracked());
    assert!(!no_grad(|| &x * &x).is_tracked());
    assert!((&x * &x).is_tracked());
    assert!(!(&x * &x).detach().is_tracked());
    assert!(c.sum().backward().is_empty());
    let grads = (&x * &c).sum().backward();
    assert_eq!((grads.len(), grads.get(&c).is_none()), (1, true));
}

#[test]
fn gradients_of_any_order() {
    let x = leaf(&[2.0]);
    let mut y = x.powf(5.0).sum();
    for expected in [80.0, 160.0, 240.0, 240.0, 120.0] {
        y = grad(&y, &[&x], CreateGraph).remove(0).sum();
        assert_eq!(y.item(), expected);
    }
}

#[test]
fn gradients_of_inner_tensors_and_unrelated_ones() {
    let (x, unrelated) = (leaf(&[3.0]), leaf(&[1.0, 1.0]));
    let h = &x * &x;
    let y = (&h * &h).sum();
    let grads = grad(&y, &[&h, &unrelated, &h, &x], FreeGraph);
    assert_eq!(grads[0].item(), 18.0);
    assert_eq!(grads[1].to_vec(), [0.0, 0.0]);
    assert_eq!(grads[2].item(), 18.0);
    assert_eq!(grads[3].item(), 108.0);
}

#[test]
fn a_seed_weighs_the_outputs() {
    let x = leaf(&[1.0, 2.0]);
    let grads = (&x * &x).backward_with(Some(&Tensor::from([10.0, 100.0])), FreeGraph);
    assert_eq!(grads.get(&x).unwrap().to_vec(), [20.0, 400.0]);
}

#[test]
fn a_used_graph_is_gone_unless_kept() {
    let x = leaf(&[2.0]);
    let y = (&x * &x).sum();
    for _ in 0..2 {
        assert_eq!(y.backward_with(None, KeepGraph).get(&x).unwrap().item(), 4.0);
    }
    y.backward();
    let message = panic_message(move || drop(y.backward()));
    assert!(message.contains("graph of sum (called at ") && message.contains("KeepGraph"), "{message}");
}

#[test]
fn a_million_additions() {
    for backward in [true, false] {
        let x = leaf(&[1.0]);
        let mut y = x.clone();
        for _ in 0..1_000_000 {
            y = &y + &x;
        }
        if backward {
            assert_eq!(y.backward_with(None, KeepGraph).get(&x).unwrap().item(), 1_000_001.0);
            assert_eq!(grad(&y, &[&x], FreeGraph)[0].item(), 1_000_001.0);
        }
        drop(y);
    }
}

#[test]
fn a_million_saved_values() {
    let x = leaf(&[1.0]);
    let mut y = x.clone();
    for _ in 0..1_000_000 {
        y = &y * &x;
    }
    drop(y);
}

#[test]
fn hooks_see_and_replace_gradients() {
    let x = leaf(&[3.0]);
    let h = &x * 2.0;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let handle = h.register_hook(move |g| {
        sink.lock().unwrap().push(g.item());
        Some(g * 10.0)
    });
    x.register_hook(|g| Some(g + 1.0));
    let y = (&h * &h).sum();
    assert_eq!(y.backward_with(None, KeepGraph).get(&x).unwrap().item(), 12.0 * 10.0 * 2.0 + 1.0);
    assert_eq!(*seen.lock().unwrap(), [12.0]);
    handle.remove();
    assert_eq!(y.backward().get(&x).unwrap().item(), 25.0);
}

#[test]
fn hooks_may_change_hooks_and_go_backward_again() {
    let x = leaf(&[3.0]);
    let handle = Arc::new(Mutex::new(None));
    let (own, inner, other) = (handle.clone(), x.clone(), (&x * 4.0).sum());
    *handle.lock().unwrap() = Some(x.register_hook(move |g| {
        // Only once: this pass has begun with it, the next will not.
        let own: Option<HookHandle<f64>> = own.lock().unwrap().take();
        own.expect("the hook is there").remove();
        inner.register_hook(|g| Some(g + 1.0));
        Some(g * other.backward_with(None, KeepGraph).get(&inner).unwrap().item())
    }));
    let y = (&x * 2.0).sum();
    assert_eq!(y.backward_with(None, KeepGraph).get(&x).unwrap().item(), 2.0 * (4.0 + 1.0));
    assert_eq!(y.backward().get(&x).unwrap().item(), 2.0 + 1.0);
}

#[test]
fn anomaly_mode_names_the_operation_and_the_line() {
    let message = panic_message(|| drop(detect_anomaly(|| Tensor::from([1.0, -1.0]).log())));
    let line = line!() - 1;
    assert!(
        message.starts_with("anomaly: log, called at ") && message.contains(&format!("graph.rs:{line}:")),
        "{message}"
    );
    assert!(message.contains("element 1 of shape [2]"), "{message}");

    // sqrt is fine at 0, its derivative is infinite, and 0 * infinity is not a number.
    let message = panic_message(|| {
        detect_anomaly(|| {
            let x = leaf(&[0.0]);
            drop((x.sqrt() * 0.0).sum().backward());
        });
    });
    assert!(
        message.starts_with("anomaly: sqrt, called at ") && message.contains("gradient of its input 0"),
        "{message}"
    );
}

#[test]
fn shape_errors_point_at_the_caller() {
    let location = Arc::new(Mutex::new(String::new()));
    let sink = location.clone();
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        *sink.lock().unwrap() = info.location().map(ToString::to_string).unwrap_or_default();
    }));
    let result = std::panic::catch_unwind(|| Tensor::<f32>::zeros([2, 3]).matmul(&Tensor::zeros([2, 3])));
    let line = line!() - 1;
    std::panic::set_hook(previous);
    assert!(result.is_err());
    let location = location.lock().unwrap();
    assert!(location.contains(&format!("tests/graph.rs:{line}:")), "{location}");
}

#[test]
fn pictures_name_operations_shapes_and_lines() {
    let (x, w) = (leaf(&[1.0, 2.0]), leaf(&[3.0, 4.0]));
    let dot = (&x * &w).tanh().sum().to_dot();
    let line = line!() - 1;
    for part in ["digraph {", "mul [2]", "c = a b", "tanh [2]", "sum []", "leaf [2]", &format!("graph.rs:{line}:")] {
        assert!(dot.contains(part), "{part} is missing in {dot}");
    }
    assert_eq!(dot.matches(" -> ").count(), 4);
}

#[test]
fn updates_in_place_leave_other_holders_alone() {
    let mut w = leaf(&[1.0, 2.0]);
    let loss = (&w * &w).sum();
    let kept = w.clone();
    w.make_mut()[0] = 5.0;
    assert_eq!((w.to_vec(), kept.to_vec()), (vec![5.0, 2.0], vec![1.0, 2.0]));
    // The graph still holds the old values, and w is still the same leaf.
    assert_eq!(loss.backward().get(&w).unwrap().to_vec(), [2.0, 4.0]);
    drop(kept);
    let start = w.as_slice().unwrap().as_ptr();
    w.make_mut()[1] = 7.0;
    assert_eq!(w.as_slice().unwrap().as_ptr(), start);
}

#[test]
fn graphs_cross_threads() {
    let x = leaf(&[2.0]);
    let y = (&x * &x).sum();
    let grads = std::thread::spawn(move || y.backward()).join().unwrap();
    assert_eq!(grads.get(&x).unwrap().item(), 4.0);
}
