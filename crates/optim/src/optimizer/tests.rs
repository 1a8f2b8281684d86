//! What all optimizers promise: exact resumption, copy on write, nothing without a gradient; and messages for the damaged.

use super::*;
use crate::testing::{Problem, SHAPES, gradient, gradients, ones};
use crate::{Adadelta, Adagrad, Adam, AdamW, Lbfgs, Lion, NAdam, RAdam, RmsProp, Sgd};
use chainrule_layers::Param;
use chainrule_tensor::Tensor;

/// Optimizers of every kind, most of them with all that they can remember.
fn kinds<T: Real>() -> Vec<Box<dyn Optimizer<T>>> {
    vec![
        Box::new(Sgd::new(0.1)),
        Box::new(Sgd::new(0.1).momentum(0.9).dampening(0.2).weight_decay(0.01)),
        Box::new(Sgd::new(0.1).momentum(0.9).nesterov(true)),
        Box::new(Adam::new(0.01).weight_decay(0.01)),
        Box::new(Adam::new(0.01).betas(0.5, 0.6).amsgrad(true)),
        Box::new(Adam::new(0.01).weight_decay(0.01).decoupled(true)),
        Box::new(AdamW::new(0.01)),
        Box::new(RmsProp::new(0.01)),
        Box::new(RmsProp::new(0.01).centered(true).momentum(0.5).maximize(true)),
        Box::new(Adagrad::new(0.1).lr_decay(0.1).initial_accumulator_value(0.1)),
        Box::new(Adadelta::new(1.0)),
        Box::new(NAdam::new(0.01)),
        Box::new(RAdam::new(0.01).betas(0.9, 0.9)),
        Box::new(Lion::new(0.01).weight_decay(0.1)),
        Box::new(Sgd::new(0.1).group(|name, _| name == "1", |group| group.momentum(0.9).with_lr(0.2))),
        Box::new(NAdam::new(0.01).group(|_, p| p.rank() > 1, |group| group.betas(0.5, 0.6).weight_decay(0.1))),
    ]
}

/// Optimizers of the same types, with other settings and without groups.
fn blank<T: Real>(like: &dyn Optimizer<T>) -> Box<dyn Optimizer<T>> {
    match like.state().kind.as_str() {
        "Sgd" => Box::new(Sgd::new(7.0)),
        "Adam" => Box::new(Adam::new(7.0).eps(0.5)),
        "AdamW" => Box::new(AdamW::new(7.0)),
        "RmsProp" => Box::new(RmsProp::new(7.0)),
        "Adagrad" => Box::new(Adagrad::new(7.0)),
        "Adadelta" => Box::new(Adadelta::new(7.0)),
        "NAdam" => Box::new(NAdam::new(7.0)),
        "RAdam" => Box::new(RAdam::new(7.0)),
        "Lion" => Box::new(Lion::new(7.0)),
        "Lbfgs" => Box::new(Lbfgs::new(7.0)),
        other => panic!("{other}"),
    }
}

fn check_resume<T: Real>() {
    let mut optimizers = kinds::<T>();
    optimizers.push(Box::new(Lbfgs::new(0.5).history_size(3)));
    for mut optimizer in optimizers {
        // Saved on the way, and with a rate that a schedule has changed; without groups before the first step as well.
        let first = if optimizer.groups() == 1 { 0 } else { 1 };
        for before in [first, 1, 5] {
            let mut problem = Problem::<T>::new();
            problem.train(&mut *optimizer, before);
            optimizer.set_option(0, "lr", 0.03);
            let mut resumed = blank(&*optimizer);
            resumed.load_state(&optimizer.state()).expect("the state is sound");
            // A second round trip, before the loaded state has met a model.
            let state = resumed.state();
            let mut resumed = blank(&*optimizer);
            resumed.load_state(&state).expect("the state is sound");
            let mut copy = Problem::<T>::new();
            copy.net.iter_mut().zip(&problem.net).for_each(|(to, from)| to.set(from));

            problem.train(&mut *optimizer, 5);
            copy.train(&mut *resumed, 5);
            assert_eq!(problem.values(), copy.values(), "{optimizer:?}");
            assert_eq!(format!("{:?}", optimizer.state()), format!("{:?}", resumed.state()));
        }
    }
}

#[test]
fn a_resumed_run_has_the_same_bits() {
    check_resume::<f32>();
    check_resume::<f64>();
}

#[test]
fn records_find_their_parameters_by_name() {
    // Eleven parameters: by name, "10" stands before "2".
    let shapes: Vec<Vec<usize>> = (0..11).map(|i| vec![i + 1]).collect();
    let shapes: Vec<&[usize]> = shapes.iter().map(|s| &s[..]).collect();
    let (mut a, mut b) = (ones::<f32>(&shapes), ones::<f32>(&shapes));
    let mut optimizer = Adam::new(0.1);
    let grads = gradients(&a, 1);
    optimizer.step(&mut a, &grads);
    b.iter_mut().zip(&a).for_each(|(to, from)| to.set(from));
    let mut resumed = Adam::new(0.1);
    resumed.load_state(&optimizer.state()).expect("the state is sound");
    let (grads_a, grads_b) = (gradients(&a, 2), gradients(&b, 2));
    optimizer.step(&mut a, &grads_a);
    resumed.step(&mut b, &grads_b);
    assert!(a.iter().zip(&b).all(|(a, b)| a.to_vec() == b.to_vec()));
}

#[test]
fn who_shares_a_value_keeps_it() {
    for mut optimizer in kinds::<f32>() {
        let mut problem = Problem::new();
        let held = problem.net[0].clone();
        let loss = problem.loss();
        let grads = loss.backward_with(None, chainrule_tensor::KeepGraph);
        let before = problem.values();
        optimizer.step(&mut problem.net, &grads);
        assert_eq!(held.to_vec().len(), 6);
        assert!(held.to_vec().iter().zip(&before).all(|(a, b)| f64::from(*a) == *b), "the clone keeps its values");
        assert!(problem.values().iter().zip(&before).all(|(a, b)| a != b), "the parameters have moved");
        // The graph still differentiates the old values, of leaves that are still the parameters.
        let again = loss.backward();
        for param in &problem.net {
            assert_eq!(again.get(param).map(Tensor::to_vec), grads.get(param).map(Tensor::to_vec));
        }
    }
}

#[test]
fn a_step_is_in_place_when_nobody_looks() {
    for mut optimizer in kinds::<f32>() {
        let mut problem = Problem::new();
        let addresses = |p: &Problem<f32>| [0, 1].map(|i| p.net[i].as_slice().map(<[f32]>::as_ptr));
        let before = addresses(&problem);
        problem.train(&mut *optimizer, 3);
        assert_eq!(before, addresses(&problem));
    }
}

#[test]
fn without_a_gradient_nothing_changes() {
    for mut optimizer in kinds::<f32>() {
        let mut problem = Problem::new();
        problem.train(&mut *optimizer, 2);
        let (weight, state) = (problem.net[0].to_vec(), optimizer.state());
        problem.net[0].freeze();
        problem.train(&mut *optimizer, 3);
        assert_eq!(problem.net[0].to_vec(), weight, "{optimizer:?}");
        let after = optimizer.state();
        // Neither the moments nor the step count of the frozen parameter went on; the other's did.
        assert_eq!(after.steps["0"], state.steps["0"]);
        assert_eq!(after.steps["1"], state.steps["1"] / 2 * 5);
        for (name, tensor) in &state.tensors {
            assert_eq!(tensor.to_vec() == after.tensors[name].to_vec(), name.starts_with("0."), "{optimizer:?} {name}");
        }
        // A step without any gradient is none.
        let values = problem.values();
        optimizer.step(&mut problem.net, &Gradients::default());
        assert_eq!(problem.values(), values);
        assert_eq!(optimizer.state().steps, after.steps);
    }
}

#[test]
fn gradients_may_lie_anyhow() {
    for (mut a, mut b) in kinds::<f64>().into_iter().zip(kinds::<f64>()) {
        let (mut net, mut packed_net) = (ones::<f64>(&[&[4, 6], &[5]]), ones::<f64>(&[&[4, 6], &[5]]));
        for step in 1..4 {
            let transposed = Tensor::from_fn([6, 4], |i| gradient(step, i)).transpose(0, 1);
            let broadcast = Tensor::from([gradient(step, 3)]).broadcast_to([5]);
            assert!(!transposed.is_contiguous() && !broadcast.is_contiguous());
            let (mut grads, mut packed) = (Gradients::default(), Gradients::default());
            for (i, grad) in [transposed, broadcast].into_iter().enumerate() {
                packed.insert(&packed_net[i], Tensor::from_vec(grad.to_vec(), grad.shape()));
                grads.insert(&net[i], grad);
            }
            a.step(&mut net, &grads);
            b.step(&mut packed_net, &packed);
        }
        assert!(net.iter().zip(&packed_net).all(|(a, b)| a.to_vec() == b.to_vec()));
    }
}

#[test]
fn any_layout_of_shapes_survives_a_round_trip() {
    for mut optimizer in kinds::<f32>() {
        let mut net = ones::<f32>(SHAPES);
        let grads = gradients(&net, 1);
        optimizer.step(&mut net, &grads);
        let mut resumed = blank(&*optimizer);
        resumed.load_state(&optimizer.state()).expect("the state is sound");
        resumed.step(&mut net, &grads);
        assert_eq!(resumed.state().steps.len(), SHAPES.len());
    }
}

#[test]
#[should_panic(expected = "Adam: the model has 1 parameters, but had 2 in the first step")]
fn another_number_of_parameters() {
    let mut optimizer = Adam::<f32>::new(0.1);
    optimizer.step(&mut ones(&[&[2], &[3]]), &Gradients::default());
    optimizer.step(&mut ones(&[&[2]]), &Gradients::default());
}

#[test]
#[should_panic(expected = "Sgd: parameter \"1\" has shape [4], but had [3] in the first step")]
fn another_shape() {
    let mut optimizer = Sgd::<f32>::new(0.1);
    optimizer.step(&mut ones(&[&[2], &[3]]), &Gradients::default());
    optimizer.step(&mut ones(&[&[2], &[4]]), &Gradients::default());
}

/// The state of an Adam that has taken a step with parameters `[2]` and `[3]`.
fn saved() -> OptimizerState {
    let mut net = ones(&[&[2], &[3]]);
    let mut optimizer = Adam::new(0.1).amsgrad(true);
    let grads = gradients(&net, 1);
    optimizer.step(&mut net, &grads);
    optimizer.state()
}

fn loaded() -> Adam {
    let mut optimizer = Adam::new(0.1);
    optimizer.load_state(&saved()).expect("the state is sound");
    optimizer
}

#[test]
#[should_panic(expected = "Adam: the loaded state has a parameter \"1\", the model none")]
fn the_state_of_a_larger_model() {
    loaded().step(&mut ones(&[&[2]]), &Gradients::default());
}

#[test]
#[should_panic(expected = "Adam: the model has a parameter \"2\", the loaded state none")]
fn the_state_of_a_smaller_model() {
    loaded().step(&mut ones(&[&[2], &[3], &[4]]), &Gradients::default());
}

#[test]
#[should_panic(expected = "Adam: parameter \"1\" has shape [4], but [3] in the loaded state")]
fn the_state_of_another_shape() {
    loaded().step(&mut ones(&[&[2], &[4]]), &Gradients::default());
}

#[test]
#[should_panic(expected = "Sgd: two parameters are named \"\"")]
fn names_are_unique() {
    use chainrule_layers::{Entry, EntryMut, Path};
    struct Twins(Param, Param);
    impl Module for Twins {
        fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a>)) {
            self.0.visit(path, visitor);
            self.1.visit(path, visitor);
        }
        fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a>)) {
            self.0.visit_mut(path, visitor);
            self.1.visit_mut(path, visitor);
        }
    }
    let mut twins = Twins(Param::new(Tensor::ones([1])), Param::new(Tensor::ones([1])));
    Sgd::new(0.1).step(&mut twins, &Gradients::default());
}

#[test]
fn damaged_states_are_told_apart() {
    let refuse = |damage: &dyn Fn(&mut OptimizerState), message: &str| {
        let mut state = saved();
        damage(&mut state);
        let mut optimizer: Adam = Adam::new(0.25);
        let error = optimizer.load_state(&state).expect_err(message);
        assert_eq!(error.to_string(), message);
        // The optimizer is as before.
        assert_eq!(format!("{:?}", optimizer.state()), format!("{:?}", Adam::<f32>::new(0.25).state()));
    };
    refuse(&|s| s.kind = "Sgd".into(), "the optimizer state is that of \"Sgd\", not of \"Adam\"");
    refuse(&|s| _ = s.groups[0].remove("beta1"), "the optimizer state lacks \"beta1\"");
    refuse(&|s| _ = s.groups[0].insert("beta1".into(), 1.5), "beta1 must be at least 0 and below 1, got 1.5");
    refuse(&|s| _ = s.groups[0].insert("amsgrad".into(), 0.5), "amsgrad must be 0 or 1, got 0.5");
    refuse(&|s| _ = s.tensors.remove("1.exp_avg_sq"), "the optimizer state lacks \"1.exp_avg_sq\"");
    refuse(&|s| _ = s.tensors.remove("0.max_exp_avg_sq"), "the optimizer state lacks \"0.max_exp_avg_sq\"");
    refuse(
        &|s| _ = s.groups[0].insert("momentum".into(), 0.9),
        "the optimizer state holds \"momentum\", which this optimizer does not have",
    );
    refuse(&|s| _ = s.steps.remove("0"), "the optimizer state holds \"0.exp_avg\", which this optimizer does not have");
    refuse(
        &|s| _ = s.tensors.insert("0.exp_avg_sq".into(), Tensor::zeros([5])),
        "the optimizer state holds \"0.exp_avg_sq\" in shape [5], where [2] is expected",
    );
    let mut sgd = Sgd::new(0.1).momentum(0.9).state();
    sgd.groups[0].insert("nesterov".into(), 1.0);
    sgd.groups[0].insert("dampening".into(), 0.5);
    let error = Sgd::<f32>::new(0.1).load_state(&sgd).expect_err("contradicts itself");
    assert_eq!(error.to_string(), "nesterov needs a momentum above 0 and no dampening");
}

#[test]
fn absurd_step_counts_are_survived() {
    let mut state = saved();
    state.steps.values_mut().for_each(|steps| *steps = u64::MAX);
    let mut optimizer: Adam = Adam::new(0.1);
    optimizer.load_state(&state).expect("a count is a count");
    let mut net = ones(&[&[2], &[3]]);
    let grads = gradients(&net, 1);
    optimizer.step(&mut net, &grads);
    assert!(net[0].to_vec().iter().all(|p| p.is_finite()));
}
