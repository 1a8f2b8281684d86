//! What layers promise besides numbers: initialization, strict loading, errors, hooks and anomaly mode in whole nets.

use crate::nets::build;
use crate::{records, their_file};
use chainrule_layers::init::{Nonlinearity, fans};
use chainrule_layers::{
    BatchNorm2d, Layer, Linear, Lstm, LstmCell, Mode, Module, Relu, Sequential, StateDict, StateError,
};
use chainrule_tensor::{CreateGraph, Rng, Tensor, detect_anomaly, grad};
use serde_json::Value;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

fn rng() -> Rng {
    Rng::seed_from_u64(17)
}

/// The convolutional net of the their_file, with PyTorch's weights.
fn cnn() -> Box<dyn Layer> {
    let mut net = build(&records("file")[0].params.get("net"), &mut rng());
    net.load(their_file()).expect("PyTorch's file fits");
    net
}

fn images() -> Tensor {
    Tensor::randn([3, 1, 6, 6], &mut rng())
}

/// The message of a panic in `call`.
fn panic_message(call: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(call)).expect_err("the call panics");
    payload.downcast_ref::<String>().cloned().expect("a message")
}

/// Whether numbers look like uniform draws from `(-bound, bound)`.
fn assert_uniform(name: &str, values: &[f64], bound: f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let std = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    let largest = values.iter().fold(0.0, |max: f64, x| max.max(x.abs()));
    let expected = bound / 3f64.sqrt();
    // Five deviations of the mean, and of the (flat) distribution's deviation.
    assert!(mean.abs() < 5.0 * expected / n.sqrt(), "{name}: mean {mean}");
    assert!((std / expected - 1.0).abs() < 5.0 * (0.2 / n).sqrt(), "{name}: deviation {std} instead of {expected}");
    assert!(largest <= bound && largest > bound * (1.0 - 8.0 / n), "{name}: largest {largest}, bound {bound}");
}

#[test]
fn layers_start_with_the_distribution_of_pytorch() {
    let record = &records("initialization")[0];
    let cases: Vec<(Value, BTreeMap<String, f64>)> = record.params.get("largest");
    for (layer, theirs) in cases {
        let layer = build::<f64>(&layer, &mut rng());
        let names: Vec<String> = layer.named_parameters().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["weight", "bias"]);
        let bound = 1.0 / (fans(layer.parameters()[0].shape()).0 as f64).sqrt();
        for (name, param) in layer.named_parameters() {
            assert_uniform(&format!("{} {name}", layer.describe()), &param.to_vec(), bound);
            let theirs = theirs[&name];
            let n = param.numel() as f64;
            assert!(theirs <= bound && theirs > bound * (1.0 - 8.0 / n), "PyTorch's {name}: {theirs}, bound {bound}");
        }
    }
    let (lstm, cell) = (Lstm::<f64>::new(30, 25, &mut rng()), LstmCell::<f64>::new(30, 25, &mut rng()));
    for (name, param) in lstm.named_parameters().into_iter().chain(cell.named_parameters()) {
        assert_uniform(&name, &param.to_vec(), 0.2);
    }
}

#[test]
fn gains_and_fans_are_those_of_pytorch() {
    let params = &records("initialization")[0].params;
    let gains: BTreeMap<String, f64> = params.get("gains");
    for (name, gain) in &gains {
        let ours = match name.as_str() {
            "linear" => Nonlinearity::Linear,
            "sigmoid" => Nonlinearity::Sigmoid,
            "tanh" => Nonlinearity::Tanh,
            "relu" => Nonlinearity::Relu,
            "leaky_relu" => Nonlinearity::LeakyRelu(5f64.sqrt()),
            other => panic!("unknown nonlinearity {other}"),
        };
        assert!((ours.gain() - gain).abs() < 1e-15, "{name}");
    }
    for (shape, expected) in params.get::<Vec<(Vec<usize>, (usize, usize))>>("fans") {
        assert_eq!(fans(&shape), expected, "{shape:?}");
    }
}

#[test]
fn a_state_dict_fits_exactly_or_not_at_all() {
    let mut net = cnn();
    let values = |net: &dyn Layer| net.state_dict().iter().map(|(_, x)| x.to_vec()).collect::<Vec<_>>();
    let before = values(&*net);
    let mut wrong: StateDict = net
        .state_dict()
        .iter()
        .filter(|(name, _)| *name != "bn1.running_var")
        .map(|(name, x)| (name.to_string(), if name == "fc.weight" { x.t() } else { x * 2.0 }))
        .collect();
    wrong.insert("conv1.bias", &Tensor::zeros(3));
    let Err(StateError::Misfit(misfit)) = net.load_state_dict(&wrong) else { panic!("the state does not fit") };
    assert_eq!(misfit.missing, ["bn1.running_var"]);
    assert_eq!(misfit.unexpected, ["conv1.bias"]);
    let (name, expected, found) = &misfit.mismatched[0];
    assert_eq!((name.as_str(), &expected[..], &found[..]), ("fc.weight", &[3, 4][..], &[4, 3][..]));
    assert_eq!(misfit.mismatched.len(), 1);
    assert_eq!(values(&*net), before);

    let mut other = Linear::<f32>::new(4, 3, &mut rng());
    let message = other.load(their_file()).expect_err("another net's file").to_string();
    assert!(message.contains("cnn.safetensors: ") && message.contains("missing weight, bias"), "{message}");
}

#[test]
fn one_value_per_channel_cannot_be_normalized_in_training() {
    // PyTorch refuses too, as generate/layers.py has made sure.
    let (norm, pixel) = (BatchNorm2d::<f32>::new(2), Tensor::ones([1, 2, 1, 1]));
    let message = panic_message(|| _ = norm.forward(&pixel, &mut Mode::Train(&mut rng())));
    assert!(message.contains("1 values per channel"), "{message}");
    assert_eq!(norm.running_estimates().map(|(mean, _)| mean.to_vec()), Some(vec![0.0; 2]));
    assert_eq!(norm.forward(&pixel, &mut Mode::Eval).shape(), &[1, 2, 1, 1]);
}

#[test]
fn hooks_see_the_gradient_that_a_parameter_gets() {
    let net = cnn();
    let params = net.named_parameters();
    let weight = &params.iter().find(|(name, _)| name == "conv2.weight").expect("a weight").1;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let handle = weight.register_hook(move |g| {
        sink.lock().unwrap().push(g.to_vec());
        Some(g * 2.0)
    });
    let loss = || net.call(&images(), &mut Mode::Train(&mut rng())).cross_entropy(&[0, 1, 2]);
    let doubled = loss().backward().get(weight).expect("a gradient").to_vec();
    handle.remove();
    let plain = loss().backward().get(weight).expect("a gradient").to_vec();
    assert_eq!(*seen.lock().unwrap(), std::slice::from_ref(&plain));
    assert_eq!(doubled, plain.iter().map(|g| g * 2.0).collect::<Vec<_>>());
}

#[test]
fn anomaly_mode_names_the_first_operation_that_fails() {
    let mut net = cnn();
    let run = |net: &dyn Layer| drop(net.call(&images(), &mut Mode::Eval).cross_entropy(&[1, 1, 2]).backward());
    let line = line!() - 1;
    detect_anomaly(|| run(&*net));
    let mut set = |name: &str, value: f32| {
        let names: Vec<String> = net.named_parameters().into_iter().map(|(name, _)| name).collect();
        let position = names.iter().position(|other| other == name).expect("a parameter");
        net.parameters_mut()[position].values_mut()[0] = value;
        panic_message(|| detect_anomaly(|| run(&*net)))
    };
    // An output that is infinite is still a number; its loss is not.
    let message = set("fc.bias", f32::INFINITY);
    assert!(message.starts_with("anomaly: cross_entropy, called at "), "{message}");
    assert!(message.contains(&format!("behavior.rs:{line}:")), "{message}");
    // In the midst of the net: minus infinity times its probability of 0. The line is the layer's.
    let message = set("conv2.bias", f32::NEG_INFINITY);
    assert!(message.starts_with("anomaly: gelu, called at ") && message.contains("activation.rs:"), "{message}");
}

#[test]
fn anomaly_mode_finds_what_fails_only_backward() {
    // No unit is active, so that the gradient by the input is zero, and its length has no derivative there.
    let mut hidden = Linear::<f64>::new(3, 4, &mut rng());
    hidden.bias.as_mut().expect("a bias").values_mut().fill(-1e3);
    let net = Sequential::new().add(hidden).add(Relu).add(Linear::new(4, 1, &mut rng()));
    let x = Tensor::ones([2, 3]).requires_grad();
    let length = || {
        let gradient = grad(&net.forward(&x, &mut Mode::Eval).sum(), &[&x], CreateGraph).remove(0);
        (&gradient * &gradient).sum().sqrt()
    };
    let line = line!() - 2;
    assert_eq!(length().item(), 0.0);
    // The root's derivative is infinite, and the product's multiplies it by zero.
    let message = panic_message(|| detect_anomaly(|| drop(length().backward())));
    assert!(message.starts_with("anomaly: mul, called at "), "{message}");
    assert!(message.contains(&format!("behavior.rs:{line}:")), "{message}");
}
