//! L-BFGS by hand, to the minimum, and out of damaged files.

use super::*;
use chainrule_layers::Param;
use chainrule_tensor::Tensor;

/// Half of `sum c x^2`, whose minimum is at 0.
fn bowl(curvature: [f64; 3]) -> impl Fn(&mut Param<f64>) -> Tensor<f64> {
    move |x| (&**x * &**x * Tensor::from(curvature)).sum() * 0.5
}

#[test]
fn two_iterations_by_hand() {
    // f = x^2: g = 8, d = -8, t = min(1, 1/8) 0.5 = 1/16, x = 4 - 0.5 = 3.5.
    let mut x = Param::new(Tensor::from([4.0f64]));
    let mut opt = Lbfgs::new(0.5);
    let grads = (&*x * &*x).sum().backward();
    opt.step(&mut x, &grads);
    assert_eq!(x.item(), 3.5);
    // g = 7, y = -1, s = -0.5: the curvature is 2, d = -3.5, and half of it is left.
    let grads = (&*x * &*x).sum().backward();
    opt.step(&mut x, &grads);
    assert_eq!(x.item(), 1.75);
}

#[test]
fn a_quadratic_takes_as_many_iterations_as_dimensions() {
    let mut x = Param::new(Tensor::from([3.0, -2.0, 1.0]));
    let mut opt = Lbfgs::new(1.0).strong_wolfe(true);
    let mut evaluations = 0;
    let loss = opt.step_with(&mut x, |x| {
        evaluations += 1;
        bowl([1.0, 10.0, 100.0])(x)
    });
    assert_eq!(loss, 0.5 * (9.0 + 40.0 + 100.0));
    assert!(x.to_vec().iter().all(|x| x.abs() < 1e-6), "{x:?}");
    assert!(evaluations <= 25);
}

#[test]
fn uphill_is_downhill_of_the_negative() {
    let run = |sign: f64, maximize: bool| {
        let mut x = Param::new(Tensor::from([3.0, -2.0, 1.0]));
        let mut opt = Lbfgs::new(1.0).strong_wolfe(true).maximize(maximize).max_iter(3);
        opt.step_with(&mut x, |x| bowl([1.0, 4.0, 9.0])(x) * sign);
        x.to_vec()
    };
    assert_eq!(run(1.0, false), run(-1.0, true));
}

#[test]
fn what_is_frozen_stays() {
    let mut net = vec![Param::new(Tensor::from([3.0f32])), Param::new(Tensor::from([2.0]))];
    net[1].freeze();
    let mut opt = Lbfgs::new(1.0).strong_wolfe(true);
    opt.step_with(&mut net, |net| (&*net[0] * &*net[1]).sum() + (&*net[0] * &*net[0]).sum());
    assert_eq!(net[1].item(), 2.0);
    assert!((net[0].item() + 1.0).abs() < 1e-3);
}

#[test]
fn a_resumed_search_has_the_same_bits() {
    for strong_wolfe in [false, true] {
        let make = || (Param::new(Tensor::from([3.0, -2.0, 1.0])), Lbfgs::new(0.3).max_iter(2).history_size(3));
        let (mut x, opt) = make();
        let mut opt = opt.strong_wolfe(strong_wolfe);
        let quartic = |x: &mut Param<f64>| (&**x * &**x * &**x * &**x).sum() + bowl([1.0, 2.0, 3.0])(x);
        for _ in 0..3 {
            let mut resumed = Lbfgs::new(1.0);
            resumed.load_state(&opt.state()).expect("a sound state");
            let mut copy = x.clone();
            opt.step_with(&mut x, quartic);
            resumed.step_with(&mut copy, quartic);
            assert_eq!(x.to_vec(), copy.to_vec());
            assert_eq!(format!("{:?}", opt.state()), format!("{:?}", resumed.state()));
        }
    }
}

#[test]
fn damaged_states_are_told_apart() {
    let refuse = |damage: &dyn Fn(&mut OptimizerState<f64>), message: &str| {
        let (mut x, mut opt) = (Param::new(Tensor::from([3.0, -2.0, 1.0])), Lbfgs::new(1.0));
        opt.step_with(&mut x, bowl([1.0, 2.0, 3.0]));
        let mut state = opt.state();
        damage(&mut state);
        let error = Lbfgs::<f64>::new(1.0).load_state(&state).expect_err(message);
        assert_eq!(error.to_string(), message);
    };
    let unknown = |name: &str| format!("the optimizer state holds {name:?}, which this optimizer does not have");
    refuse(&|s| s.kind = "Sgd".into(), "the optimizer state is that of \"Sgd\", not of \"Lbfgs\"");
    refuse(&|s| _ = s.groups[0].remove("lr"), "the optimizer state lacks \"lr\"");
    refuse(&|s| _ = s.groups[0].insert("x".into(), 1.0), &unknown("x"));
    refuse(
        &|s| _ = s.groups[0].insert("max_iter".into(), 1.5),
        "max_iter must be a whole number and at least 0, got 1.5",
    );
    refuse(&|s| _ = s.tensors.remove("old_dirs.0"), "the optimizer state lacks \"old_dirs.0\"");
    refuse(&|s| _ = s.tensors.insert("x".into(), Tensor::zeros([3])), &unknown("x"));
    refuse(&|s| _ = s.numbers.insert("ro.99".into(), 1.0), &unknown("ro.99"));
    refuse(
        &|s| _ = s.tensors.insert("old_stps.0".into(), Tensor::zeros([4])),
        "the optimizer state holds \"old_stps.0\" in shape [4], where [3] is expected",
    );
}

#[test]
#[should_panic(expected = "Lbfgs: a line search has to evaluate the loss: call step_with")]
fn a_line_search_needs_the_loss() {
    Lbfgs::<f32>::new(1.0).strong_wolfe(true).step(&mut (), &Gradients::default());
}

#[test]
#[should_panic(expected = "Lbfgs: the model has 3 numbers, but had 1; one optimizer serves one model")]
fn another_model() {
    let mut opt = Lbfgs::new(1.0);
    opt.step_with(&mut Param::new(Tensor::from([2.0])), |x| (&**x * &**x).sum());
    opt.step_with(&mut Param::new(Tensor::from([2.0, 3.0, 4.0])), bowl([1.0; 3]));
}

#[test]
#[should_panic(expected = "Lbfgs: history_size must be a whole number and at least 1, got 0")]
fn a_history_has_room() {
    let _ = Lbfgs::<f32>::new(1.0).history_size(0);
}
