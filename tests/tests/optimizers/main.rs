//! Optimizers, schedules and averages of weights against PyTorch: see `generate/optimizers.py`.
//!
//! Every case is run twice: straight through, and with all state written to a file, read into fresh objects and resumed in the
//! middle. Both runs end with the same bits, and with PyTorch's numbers.

mod build;

use build::{average, optimizer, schedule};
use chainrule_layers::{Layer, Linear, Module, Sequential, Tanh};
use chainrule_optim::{GradientAccumulator, Groups, Optimizer, OptimizerState, Scheduler, WeightAverage};
use chainrule_tensor::{Real, Rng, Tensor};
use chainrule_tests::compare::Tolerance;
use chainrule_tests::fixture::Params;
use chainrule_tests::record::{self, Record, Results};
use chainrule_tests::tree;
use std::path::PathBuf;

const STEPS: usize = 20;

fn records() -> Vec<Record> {
    record::read(&tree::root().join("tests/fixtures/optimizers.safetensors"))
}

/// Runs all cases and reports every failure at once.
fn check<T: Real>(wanted: impl Fn(&Params) -> bool, tolerance: &Tolerance) {
    let (mut failures, mut runs) = (Vec::new(), 0);
    for record in records().iter().filter(|record| wanted(&record.params)) {
        runs += 1;
        let straight = train::<T>(record, None);
        let complaints = record.compare(&straight, tolerance);
        failures
            .extend(complaints.iter().map(|message| format!("{}: {message}\n    {:?}", record.name, record.params)));
        let resumed = train::<T>(record, Some(STEPS / 2));
        let bits = |results: &Results<T>| results.iter().map(|(_, x)| x.to_vec()).collect::<Vec<_>>();
        assert_eq!(bits(&straight), bits(&resumed), "{} resumed: {:?}", record.name, record.params);
    }
    let count = failures.len();
    assert!(failures.is_empty(), "{count} disagreements with PyTorch in {}:\n{}", T::NAME, failures.join("\n"));
    assert!(runs > 0, "the fixture has no such case");
}

fn is_lbfgs(params: &Params) -> bool {
    params.get::<String>("optimizer") == "LBFGS"
}

#[test]
fn element_wise_f64() {
    check::<f64>(|params| !is_lbfgs(params), &Tolerance::of::<f64>([1e-11, 1e-13], [0.0, 0.0]));
}

#[test]
fn element_wise_f32() {
    check::<f32>(|params| !is_lbfgs(params), &Tolerance::of::<f32>([0.0, 0.0], [1e-4, 1e-6]));
}

#[test]
fn lbfgs_f64() {
    check::<f64>(is_lbfgs, &Tolerance::of::<f64>([1e-9, 1e-10], [0.0, 0.0]));
}

#[test]
fn lbfgs_f32() {
    // The net has no single minimum that rounding could not lead away from; the linear fit has. Differences of nearly equal
    // gradients are what the curvature is estimated from: PyTorch's own results in the two precisions differ by up to 6e-3.
    let convex = |params: &Params| is_lbfgs(params) && params.get("linear");
    check::<f32>(convex, &Tolerance::of::<f32>([0.0, 0.0], [2e-3, 2e-4]));
}

/// Trains as the record says; after `pause` steps everything goes to a file and comes back.
fn train<T: Real>(record: &Record, pause: Option<usize>) -> Results<T> {
    let params = &record.params;
    let linear: bool = params.get("linear");
    let mut rng = Rng::seed_from_u64(1);
    let mut net: Sequential<T> = if linear {
        Sequential::new().add(Linear::new(3, 2, &mut rng))
    } else {
        Sequential::new().add(Linear::new(3, 4, &mut rng)).add(Tanh).add(Linear::new(4, 2, &mut rng))
    };
    net.load_state_dict(&record.state()).expect("the state fits the net");
    let inputs: Vec<Tensor<T>> = record.inputs();
    let metrics: Option<Vec<f64>> = params.find("metrics");

    let mut opt = optimizer::<T>(params, true);
    let mut scheduler = schedule(params).map(|schedule| Scheduler::new(schedule, &mut *opt));
    let mut weights = average::<T>(params);
    let (mut results, mut rates) = (Vec::new(), Vec::new());
    let note = |opt: &dyn Optimizer<T>, rates: &mut Vec<T>| {
        rates.extend((0..opt.groups()).map(|group| T::from_f64(opt.option(group, "lr").expect("a rate"))));
    };
    note(&*opt, &mut rates);
    for step in 0..STEPS {
        let maximize = linear && opt.option(0, "maximize") == Some(1.0);
        opt.step_with(&mut net, |net| loss(net, &inputs, linear, maximize, step));
        if let Some(weights) = &mut weights {
            weights.update(&net);
        }
        match (&mut scheduler, &metrics) {
            (Some(scheduler), Some(metrics)) => scheduler.step_on(&mut *opt, metrics[step]),
            (Some(scheduler), None) => scheduler.step(&mut *opt),
            (None, _) => {}
        }
        note(&*opt, &mut rates);
        if step == 0 || step == STEPS - 1 {
            results.extend(named("after", step + 1, &net));
        }
        if pause == Some(step) {
            (opt, scheduler, weights) = through_a_file(record, &*opt, scheduler, weights, &net);
        }
    }
    if let Some(weights) = &mut weights {
        weights.swap(&mut net);
        results.extend(net.named_parameters().into_iter().map(|(name, p)| (format!("average.{name}"), p.detach())));
    }
    let groups = opt.groups();
    results.push(("lr".into(), Tensor::from_vec(rates, [STEPS + 1, groups])));
    results
}

fn named<T: Real>(prefix: &str, step: usize, net: &Sequential<T>) -> Vec<(String, Tensor<T>)> {
    let copy = |x: &Tensor<T>| Tensor::from_vec(x.to_vec(), x.shape());
    net.named_parameters().into_iter().map(|(name, p)| (format!("{prefix}{step}.{name}"), copy(p))).collect()
}

fn loss<T: Real>(net: &Sequential<T>, inputs: &[Tensor<T>], linear: bool, negated: bool, step: usize) -> Tensor<T> {
    let (start, len) = if linear { (0, 8) } else { (step % 2 * 4, 4) };
    let [x, y] = [0, 1].map(|i| inputs[i].narrow(0, start, len));
    let mut loss = net.call(&x, &mut chainrule_layers::Mode::Eval).mse_loss(&y);
    if linear {
        for param in net.parameters() {
            loss = loss + (&**param * &**param).sum() * T::from_f64(0.125);
        }
    }
    if negated { -loss } else { loss }
}

type Parts<T> = (Box<dyn Optimizer<T>>, Option<Scheduler>, Option<WeightAverage<T>>);

/// Everything that training remembers, written, dropped, and read into objects that know nothing but their kind.
fn through_a_file<T: Real>(
    record: &Record,
    opt: &dyn Optimizer<T>,
    scheduler: Option<Scheduler>,
    weights: Option<WeightAverage<T>>,
    net: &Sequential<T>,
) -> Parts<T> {
    let path = scratch(&format!("{}-{}", record.name.replace('/', "-"), T::NAME));
    let mut state = opt.state();
    if let Some(scheduler) = &scheduler {
        state = state.with_schedule(scheduler);
    }
    if let Some(weights) = &weights {
        state = state.with_average(weights);
    }
    state.save(&path).expect("the folder is writable");
    let state = OptimizerState::load(&path).expect("our own file");
    std::fs::remove_file(&path).expect("our own file");
    let mut opt = optimizer::<T>(&record.params, false);
    opt.load_state(&state).expect("our own state");
    let resumed = state.schedule.as_ref().map(|saved| {
        let blank = schedule(&record.params).expect("the record has a schedule");
        Scheduler::resume(blank, saved).expect("our own state")
    });
    let weights = state.average.as_ref().map(|saved| WeightAverage::resume(saved, net).expect("our own state"));
    (opt, resumed, weights)
}

fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.safetensors", std::process::id()))
}

#[test]
fn accumulated_batches_are_one_batch() {
    let mut rng = Rng::seed_from_u64(5);
    let make =
        |rng: &mut Rng| Sequential::<f64>::new().add(Linear::new(3, 4, rng)).add(Tanh).add(Linear::new(4, 2, rng));
    let (mut whole, x, y) = (make(&mut rng), Tensor::randn([7, 3], &mut rng), Tensor::randn([7, 2], &mut rng));
    let mut parts = make(&mut rng);
    parts.load_state_dict(&whole.state_dict()).expect("the same net");
    let loss = |net: &Sequential<f64>, from: usize, len: usize| {
        net.forward(&x.narrow(0, from, len), &mut chainrule_layers::Mode::Eval).mse_loss(&y.narrow(0, from, len))
    };
    let (mut a, mut b) = (chainrule_optim::Adam::new(0.1), chainrule_optim::Adam::new(0.1));
    let mut accumulator = GradientAccumulator::new();
    for _ in 0..20 {
        let grads = loss(&whole, 0, 7).backward();
        a.step(&mut whole, &grads);
        for (from, len) in [(0, 3), (3, 3), (6, 1)] {
            accumulator.add_weighted(loss(&parts, from, len).backward(), len as f64);
        }
        b.step(&mut parts, &accumulator.take());
    }
    for (a, b) in whole.parameters().into_iter().zip(parts.parameters()) {
        assert!(a.to_vec().iter().zip(b.to_vec()).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}
