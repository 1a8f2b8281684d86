//! From PyTorch's names and arguments to our optimizers and schedules. What is not said keeps our default, which has to be
//! PyTorch's.

use chainrule_optim::schedule::Schedule;
use chainrule_optim::{
    Adadelta, Adagrad, Adam, AdamW, ChainedScheduler, ConstantLr, CosineAnnealingLr, CosineAnnealingWarmRestarts,
    ElementWise, ExponentialLr, Groups, LambdaLr, Lbfgs, LinearLr, Lion, Method, MultiStepLr, MultiplicativeLr, NAdam,
    OneCycleLr, Optimizer, PolynomialLr, RAdam, ReduceLrOnPlateau, RmsProp, SequentialLr, Sgd, StepLr, WeightAverage,
};
use chainrule_tensor::Real;
use chainrule_tests::fixture::Params;
use serde_json::{Map, Value};

type Options = Map<String, Value>;

/// The optimizer of a record. The one that a state is loaded into is made without groups and with a rate of its own.
pub(crate) fn optimizer<T: Real>(params: &Params, complete: bool) -> Box<dyn Optimizer<T>> {
    let mut options: Options = params.get("options");
    let mut groups: Vec<(String, Options)> = params.find("groups").unwrap_or_default();
    if !complete {
        (options, groups) = (Options::from_iter([("lr".into(), 7.0.into())]), Vec::new());
    }
    let lr = |default: f64| options.get("lr").map_or(default, |lr| lr.as_f64().expect("a number"));
    match params.get::<String>("optimizer").as_str() {
        "SGD" => element_wise(Sgd::new(lr(1e-3)), &options, groups),
        "Adam" => element_wise(Adam::new(lr(1e-3)), &options, groups),
        "AdamW" => element_wise(AdamW::new(lr(1e-3)), &options, groups),
        "RMSprop" => element_wise(RmsProp::new(lr(1e-2)), &options, groups),
        "Adagrad" => element_wise(Adagrad::new(lr(1e-2)), &options, groups),
        "Adadelta" => element_wise(Adadelta::new(lr(1.0)), &options, groups),
        "NAdam" => element_wise(NAdam::new(lr(2e-3)), &options, groups),
        "RAdam" => element_wise(RAdam::new(lr(1e-3)), &options, groups),
        "Lion" => element_wise(Lion::new(lr(1e-4)), &options, groups),
        "LBFGS" => {
            let mut lbfgs = Lbfgs::new(lr(1.0));
            set(&mut lbfgs, 0, &options);
            Box::new(lbfgs)
        }
        other => panic!("unknown optimizer {other}"),
    }
}

fn element_wise<M: Method, T: Real>(
    mut opt: ElementWise<M, T>,
    options: &Options,
    groups: Vec<(String, Options)>,
) -> Box<dyn Optimizer<T>>
where
    ElementWise<M, T>: Optimizer<T> + 'static,
{
    set(&mut opt, 0, options);
    for (i, (part, options)) in groups.into_iter().enumerate() {
        opt = opt.group(move |name, _| name.contains(&part), |group| group);
        set(&mut opt, i + 1, &options);
    }
    Box::new(opt)
}

fn set(groups: &mut dyn Groups, group: usize, options: &Options) {
    for (name, value) in options {
        let number = |value: &Value| match value {
            Value::Bool(flag) => f64::from(u8::from(*flag)),
            Value::String(search) => f64::from(u8::from(search == "strong_wolfe")),
            other => other.as_f64().expect("a number"),
        };
        match name.as_str() {
            "betas" => {
                groups.set_option(group, "beta1", number(&value[0]));
                groups.set_option(group, "beta2", number(&value[1]));
            }
            "decoupled_weight_decay" => groups.set_option(group, "decoupled", number(value)),
            "line_search_fn" => groups.set_option(group, "strong_wolfe", number(value)),
            other => groups.set_option(group, other, number(value)),
        }
    }
}

/// A schedule of any kind.
pub(crate) type AnySchedule = Box<dyn Schedule>;

/// The schedule of a record.
pub(crate) fn schedule(params: &Params) -> Option<AnySchedule> {
    params.find::<Options>("schedule").map(|spec| schedule_of(&spec))
}

fn schedule_of(spec: &Options) -> AnySchedule {
    let kind = spec["schedule"].as_str().expect("a name");
    let given = |name: &str| spec.get(name).and_then(Value::as_f64);
    let count = |name: &str, default: usize| spec.get(name).map_or(default, |n| n.as_u64().expect("a count") as usize);
    let list = |name: &str| -> Vec<Value> { spec[name].as_array().expect("a list").clone() };
    let numbers = |value: &Value| match value.as_array() {
        Some(list) => list.iter().map(|x| x.as_f64().expect("a number")).collect(),
        None => vec![value.as_f64().expect("a number")],
    };
    let parts = || list("schedules").into_iter().map(|spec| schedule_of(spec.as_object().expect("a schedule")));
    // Applies a setting if it was given, so that our default stands otherwise.
    macro_rules! settings {
        ($start:expr, $($name:ident),*) => {{
            let schedule = $start;
            $( let schedule = match given(stringify!($name)) { Some(x) => schedule.$name(x), None => schedule }; )*
            schedule
        }};
    }
    match kind {
        "StepLR" => Box::new(settings!(StepLr::new(count("step_size", 0)), gamma)),
        "MultiStepLR" => {
            let milestones = list("milestones").into_iter().map(|m| m.as_u64().expect("a count") as usize);
            Box::new(settings!(MultiStepLr::new(milestones), gamma))
        }
        "ExponentialLR" => Box::new(ExponentialLr::new(given("gamma").expect("a factor"))),
        "ConstantLR" => Box::new(settings!(ConstantLr::new(count("total_iters", 5)), factor)),
        "LinearLR" => Box::new(settings!(LinearLr::new(count("total_iters", 5)), start_factor, end_factor)),
        "PolynomialLR" => Box::new(settings!(PolynomialLr::new(count("total_iters", 5)), power)),
        "CosineAnnealingLR" => Box::new(settings!(CosineAnnealingLr::new(count("T_max", 0)), eta_min)),
        "CosineAnnealingWarmRestarts" => {
            let waves = CosineAnnealingWarmRestarts::new(count("T_0", 0)).t_mult(count("T_mult", 1));
            Box::new(settings!(waves, eta_min))
        }
        "LambdaLR" => Box::new(LambdaLr::new(function(spec))),
        "MultiplicativeLR" => Box::new(MultiplicativeLr::new(function(spec))),
        "OneCycleLR" => {
            let cycle = OneCycleLr::with_max_lrs(numbers(&spec["max_lr"]), count("total_steps", 0));
            let flag = |name: &str, default: bool| spec.get(name).map_or(default, |x| x.as_bool().expect("a flag"));
            let cycle = settings!(cycle, pct_start, div_factor, final_div_factor);
            let cycle = match (given("base_momentum"), given("max_momentum")) {
                (Some(base), Some(max)) => cycle.momentum(base, max),
                _ => cycle,
            };
            let linear = spec.get("anneal_strategy").is_some_and(|strategy| strategy == "linear");
            let cycle = if linear { cycle.linear(true) } else { cycle };
            let cycle = if flag("cycle_momentum", true) { cycle } else { cycle.cycle_momentum(false) };
            Box::new(if flag("three_phase", false) { cycle.three_phase(true) } else { cycle })
        }
        "ReduceLROnPlateau" => {
            let max = spec.get("mode").is_some_and(|mode| mode == "max");
            let plateau = if max { ReduceLrOnPlateau::max() } else { ReduceLrOnPlateau::min() };
            let plateau = settings!(plateau, factor, threshold, eps);
            let absolute = spec.get("threshold_mode").is_some_and(|mode| mode == "abs");
            let plateau = match given("threshold") {
                Some(threshold) if absolute => plateau.absolute_threshold(threshold),
                _ => plateau,
            };
            let plateau = if spec.contains_key("patience") { plateau.patience(count("patience", 0)) } else { plateau };
            let plateau = plateau.cooldown(count("cooldown", 0));
            Box::new(spec.get("min_lr").map(numbers).into_iter().fold(plateau, ReduceLrOnPlateau::min_lrs))
        }
        "SequentialLR" => {
            let milestones = list("milestones").into_iter().map(|m| m.as_u64().expect("a count") as usize);
            let mut parts = parts();
            let first = SequentialLr::new(parts.next().expect("a first one"));
            Box::new(milestones.zip(parts).fold(first, |all, (milestone, next)| all.then(milestone, next)))
        }
        "ChainedScheduler" => {
            let mut parts = parts();
            let first = ChainedScheduler::new(parts.next().expect("a first one"));
            Box::new(parts.fold(first, ChainedScheduler::and))
        }
        other => panic!("unknown schedule {other}"),
    }
}

/// The functions of `generate/optimizers.py`.
fn function(spec: &Options) -> fn(u64) -> f64 {
    match spec["lr_lambda"].as_str().expect("a name") {
        "inverse" => |epoch| 1.0 / (1.0 + epoch as f64),
        "power" => |epoch| 0.95f64.powf(epoch as f64),
        other => panic!("unknown function {other}"),
    }
}

/// The average of weights that a record ends with.
pub(crate) fn average<T: Real>(params: &Params) -> Option<WeightAverage<T>> {
    match params.find::<Value>("average")? {
        Value::String(kind) if kind == "swa" => Some(WeightAverage::equal()),
        decay => Some(WeightAverage::ema(decay.as_f64().expect("a decay"))),
    }
}
