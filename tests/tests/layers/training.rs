//! Ten steps of training: losses, norms of gradients, and the state in the end.

use crate::nets::build;
use crate::passes::load;
use chainrule_layers::{EntryMut, Layer, Mode, Module, Path};
use chainrule_optim::{Adam, Optimizer, Sgd, clip_grad_norm, clip_grad_value};
use chainrule_tensor::{CreateGraph, Real, Rng, Tensor, grad};
use chainrule_tests::fixture::Params;
use chainrule_tests::record::{Record, Results};
use std::collections::BTreeMap;

/// The optimizer under PyTorch's names for its kind and settings. What is not said keeps our default, which has to be
/// PyTorch's.
pub(crate) fn optimizer<T: Real>(params: &Params) -> Box<dyn Optimizer<T>> {
    let kind: String = params.get("optimizer");
    let options: BTreeMap<String, serde_json::Value> = params.get("options");
    let number = |name: &str| options[name].as_f64().expect("a number");
    let flag = |name: &str| options[name].as_bool().expect("a flag");
    match kind.as_str() {
        "SGD" => Box::new(options.keys().fold(Sgd::new(number("lr")), |sgd, name| match name.as_str() {
            "lr" => sgd,
            "momentum" => sgd.momentum(number(name)),
            "dampening" => sgd.dampening(number(name)),
            "nesterov" => sgd.nesterov(flag(name)),
            "weight_decay" => sgd.weight_decay(number(name)),
            other => panic!("unknown setting {other}"),
        })),
        "Adam" | "AdamW" => {
            let adam = Adam::new(number("lr")).decoupled(kind == "AdamW");
            // PyTorch's AdamW decays by 0.01 unless told otherwise; our flag changes no other setting.
            let adam = if kind == "AdamW" { adam.weight_decay(0.01) } else { adam };
            Box::new(options.keys().fold(adam, |adam, name| match name.as_str() {
                "lr" => adam,
                "betas" => {
                    let [beta1, beta2] = [0, 1].map(|i| options[name][i].as_f64().expect("a number"));
                    adam.betas(beta1, beta2)
                }
                "amsgrad" => adam.amsgrad(flag(name)),
                "weight_decay" => adam.weight_decay(number(name)),
                other => panic!("unknown setting {other}"),
            }))
        }
        other => panic!("unknown optimizer {other}"),
    }
}

/// Freezes parameters and hangs factors on the gradients of others, both by name.
fn prepare<T: Real>(net: &mut dyn Layer<T>, frozen: &[String], factors: &BTreeMap<String, f64>) {
    let mut found = 0;
    net.visit_mut(&Path::ROOT, &mut |path, entry| {
        let (name, EntryMut::Param(param)) = (path.to_string(), entry) else { return };
        if frozen.contains(&name) {
            param.freeze();
            found += 1;
        }
        if let Some(&factor) = factors.get(&name) {
            param.register_hook(move |g| Some(g * T::from_f64(factor)));
            found += 1;
        }
    });
    assert_eq!(found, frozen.len() + factors.len(), "every name is one of a parameter");
}

/// Trains as the record says.
pub(crate) fn train<T: Real>(record: &Record) -> Results<T> {
    let params = &record.params;
    let mut rng = Rng::seed_from_u64(1);
    let mut net = build::<T>(&params.get("net"), &mut rng);
    load(record, &mut net);
    let frozen: Vec<String> = params.get("frozen");
    prepare(&mut *net, &frozen, &params.get("hooks"));
    let mut optimizer = optimizer::<T>(params);
    let (labels, batch): (Vec<usize>, usize) = (params.get("labels"), params.get("batch"));
    let clip: Option<(String, f64)> = params.get("clip");
    let (penalty, inputs): (f64, Vec<Tensor<T>>) = (params.get("penalty"), record.inputs());

    let (mut losses, mut norms) = (Vec::new(), Vec::new());
    for step in 0..params.get::<usize>("steps") {
        let start = step % 2 * batch;
        let mut x = inputs[0].narrow(0, start, batch);
        if penalty > 0.0 {
            x = x.requires_grad();
        }
        let y = net.call(&x, &mut Mode::Train(&mut rng));
        let mut loss = match params.get::<String>("loss").as_str() {
            "cross_entropy" => y.cross_entropy(&labels[start..start + batch]),
            "bce_with_logits" => y.bce_with_logits(&inputs[1].narrow(0, start, batch)),
            "mse_loss" => y.mse_loss(&inputs[1].narrow(0, start, batch)),
            other => panic!("unknown loss {other}"),
        };
        if penalty > 0.0 {
            let gradient = grad(&loss, &[&x], CreateGraph).remove(0);
            loss = loss + (&gradient * &gradient).sum() * T::from_f64(penalty);
        }
        losses.push(loss.item());
        let mut grads = loss.backward();
        for (name, param) in net.named_parameters() {
            assert_eq!(grads.get(param).is_none(), frozen.contains(&name), "{}: the gradient of {name}", record.name);
        }
        match &clip {
            Some((kind, bound)) if kind == "norm" => norms.push(T::from_f64(clip_grad_norm(&mut grads, *bound))),
            Some((_, bound)) => clip_grad_value(&mut grads, *bound),
            None => {}
        }
        drop((loss, y, x));
        optimizer.step(&mut net, &grads);
    }
    let start = record.state::<T>();
    for name in &frozen {
        let value = |state: &chainrule_layers::StateDict<T>| state.get(name).expect("a parameter").to_vec();
        assert_eq!(value(&net.state_dict()), value(&start), "{}: {name} is frozen", record.name);
    }

    let list = |values: Vec<T>| Tensor::from_vec(&values, [values.len()]);
    let mut results = vec![("losses".into(), list(losses))];
    if !norms.is_empty() {
        results.push(("norms".into(), list(norms)));
    }
    results.extend(net.state_dict().iter().map(|(name, value)| (format!("after.{name}"), value.clone())));
    results
}
