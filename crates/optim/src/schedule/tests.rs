//! Schedules against their closed forms, resumption with the same bits, and what is refused.

use super::*;
use crate::{Adagrad, Adam, Optimizer, Sgd};

/// The rates of an optimizer that starts at 0.5: at first, and after each of 20 steps.
fn run(schedule: impl Schedule + 'static) -> Vec<f64> {
    let mut opt = Sgd::<f32>::new(0.5).momentum(0.9);
    let mut scheduler = Scheduler::new(schedule, &mut opt);
    let mut rates = vec![opt.lr()];
    for epoch in 0..20 {
        scheduler.step_on(&mut opt, f64::from(epoch / 3));
        rates.push(opt.lr());
    }
    rates
}

#[track_caller]
fn follows(schedule: impl Schedule + 'static, closed: impl Fn(f64) -> f64) {
    let name = schedule.kind();
    for (epoch, rate) in run(schedule).into_iter().enumerate() {
        let want = 0.5 * closed(epoch as f64);
        assert!((rate - want).abs() < 1e-14, "{name} at {epoch}: {rate} is not {want}");
    }
}

#[test]
fn rates_follow_their_closed_forms() {
    use std::f64::consts::PI;
    follows(StepLr::new(3).gamma(0.5), |t| 0.5f64.powf((t / 3.0).floor()));
    follows(MultiStepLr::new([7, 2, 2]), |t| {
        if t < 2.0 {
            1.0
        } else if t < 7.0 {
            0.01
        } else {
            0.001
        }
    });
    follows(ExponentialLr::new(0.9), |t| 0.9f64.powf(t));
    follows(ConstantLr::new(4).factor(0.25), |t| if t < 4.0 { 0.25 } else { 1.0 });
    follows(LinearLr::new(8).start_factor(0.1).end_factor(0.7), |t| 0.1 + 0.6 * t.min(8.0) / 8.0);
    follows(PolynomialLr::new(15).power(2.5), |t| (1.0 - t.min(15.0) / 15.0).powf(2.5));
    follows(CosineAnnealingLr::new(6).eta_min(0.05), |t| 0.1 + 0.9 * (1.0 + (PI * t / 6.0).cos()) / 2.0);
    follows(CosineAnnealingLr::new(1), |t| 1.0 - t % 2.0);
    follows(CosineAnnealingWarmRestarts::new(5), |t| (1.0 + (PI * (t % 5.0) / 5.0).cos()) / 2.0);
    follows(CosineAnnealingWarmRestarts::new(2).t_mult(3), |t| {
        let (since, length) = if t < 2.0 {
            (t, 2.0)
        } else if t < 8.0 {
            (t - 2.0, 6.0)
        } else {
            (t - 8.0, 18.0)
        };
        (1.0 + (PI * since / length).cos()) / 2.0
    });
    follows(LambdaLr::new(|t| 1.0 / (1.0 + t as f64)), |t| 1.0 / (1.0 + t));
    follows(MultiplicativeLr::new(|t| if t < 4 { 2.0 } else { 1.0 }), |t| 2f64.powf(t.min(3.0)));
}

#[test]
fn schedules_act_together_and_in_turn() {
    let chain = ChainedScheduler::new(ConstantLr::new(4).factor(0.5)).and(ExponentialLr::new(0.9));
    follows(chain, |t| 0.9f64.powf(t) * if t < 4.0 { 0.5 } else { 1.0 });
    let sequence =
        SequentialLr::new(LinearLr::new(4).start_factor(0.2)).then(4, ExponentialLr::new(0.5)).then(9, StepLr::new(2));
    follows(sequence, |t| match t {
        _ if t < 4.0 => 0.2 + 0.8 * t / 4.0,
        _ if t < 9.0 => 0.5f64.powf(t - 4.0),
        _ => 0.1f64.powf(((t - 9.0) / 2.0).floor()),
    });
    let nested =
        SequentialLr::new(ConstantLr::new(9)).then(2, ChainedScheduler::new(StepLr::new(1)).and(StepLr::new(2)));
    follows(nested, |t| if t < 2.0 { 1.0 / 3.0 } else { 0.1f64.powf(t - 2.0 + ((t - 2.0) / 2.0).floor()) });
    // A part that begins at once.
    follows(SequentialLr::new(ConstantLr::new(5)).then(0, ExponentialLr::new(0.5)), |t| 0.5f64.powf(t));
}

#[test]
fn one_cycle_goes_up_and_down() {
    let mut opt = Adam::<f32>::new(7.0);
    let mut scheduler = Scheduler::new(OneCycleLr::new(1.0, 11).pct_start(0.5).div_factor(4.0).linear(true), &mut opt);
    let mut seen = vec![(opt.lr(), opt.option(0, "beta1"))];
    for _ in 0..10 {
        scheduler.step(&mut opt);
        seen.push((opt.lr(), opt.option(0, "beta1")));
    }
    // Up until 4.5, down until 10.
    for (step, (lr, beta1)) in seen.into_iter().enumerate() {
        let t = step as f64;
        let up = if t <= 4.5 { t / 4.5 } else { (10.0 - t) / 5.5 };
        let floor = if t <= 4.5 { 0.25 } else { 0.25e-4 };
        assert!((lr - (floor + (1.0 - floor) * up)).abs() < 1e-14, "{step}: {lr}");
        assert!((beta1.unwrap() - (0.95 - 0.1 * up)).abs() < 1e-14, "{step}: {beta1:?}");
    }
}

#[test]
fn a_rise_of_one_step_is_over_at_once() {
    // 0.1 of ten steps end at step 0.
    let mut opt = Sgd::<f32>::new(0.5).momentum(0.9);
    let mut scheduler = Scheduler::new(OneCycleLr::new(1.0, 10).pct_start(0.1).linear(true), &mut opt);
    assert_eq!((opt.lr(), opt.option(0, "momentum")), (1.0, Some(0.85)));
    scheduler.step(&mut opt);
    assert!((opt.lr() - (1.0 + (4e-6 - 1.0) / 9.0)).abs() < 1e-15, "{}", opt.lr());
    // Nor is there a fall where the rise takes all steps.
    let mut scheduler = Scheduler::new(OneCycleLr::new(1.0, 2).pct_start(1.0), &mut opt);
    (0..2).for_each(|_| scheduler.step(&mut opt));
    assert!((opt.lr() - 4e-6).abs() < 1e-15, "{}", opt.lr());
}

#[test]
fn a_plateau_lowers_the_rate() {
    // The metric is 0 0 0 1 1 1 ..: better only once.
    let rates = run(ReduceLrOnPlateau::min().factor(0.5).patience(2).cooldown(3));
    assert_eq!(rates[..4], [0.5; 4]);
    // Bad from the second on: three in a row are too many. Then three are not counted.
    assert_eq!(rates[4..10], [0.25; 6]);
    assert_eq!(rates[10..16], [0.125; 6]);
    // Larger is better: never bad for more than two in a row.
    assert_eq!(run(ReduceLrOnPlateau::max().patience(2)), [0.5; 21]);
    assert_eq!(run(ReduceLrOnPlateau::max().absolute_threshold(1.0).patience(4))[5..7], [0.5, 0.5 * 0.1]);
    assert_eq!(*run(ReduceLrOnPlateau::min().patience(0).min_lr(0.2)).last().unwrap(), 0.2);
}

#[test]
fn each_group_keeps_its_own_rate() {
    let mut opt = Sgd::<f32>::new(0.4).group(|_, _| true, |group| group.with_lr(0.1));
    let mut scheduler = Scheduler::new(StepLr::new(1).gamma(0.5), &mut opt);
    scheduler.step(&mut opt);
    assert_eq!((opt.option(0, "lr"), opt.option(1, "lr")), (Some(0.2), Some(0.05)));
    let mut scheduler = Scheduler::new(OneCycleLr::with_max_lrs([2.0, 1.0], 10).cycle_momentum(false), &mut opt);
    let close = |group: usize, lr: f64| (opt.option(group, "lr").expect("a rate") - lr).abs() < 1e-15;
    assert!(close(0, 0.08) && close(1, 0.04));
    scheduler.step(&mut opt);
    assert!(opt.option(0, "momentum") == Some(0.0));
}

/// Every kind of schedule, and one with other settings to load its state into.
fn kinds() -> Vec<[Box<dyn Schedule>; 2]> {
    fn pair(a: impl Schedule + 'static, b: impl Schedule + 'static) -> [Box<dyn Schedule>; 2] {
        [Box::new(a), Box::new(b)]
    }
    vec![
        pair(StepLr::new(3).gamma(0.3), StepLr::new(1)),
        pair(MultiStepLr::new([2, 9, 5]), MultiStepLr::new([1])),
        pair(ExponentialLr::new(0.7), ExponentialLr::new(0.1)),
        pair(ConstantLr::new(7), ConstantLr::new(1)),
        pair(LinearLr::new(9), LinearLr::new(1)),
        pair(PolynomialLr::new(18).power(0.7), PolynomialLr::new(1)),
        pair(CosineAnnealingLr::new(4), CosineAnnealingLr::new(1)),
        pair(CosineAnnealingWarmRestarts::new(2).t_mult(2), CosineAnnealingWarmRestarts::new(1)),
        pair(LambdaLr::new(|t| 0.9f64.powf(t as f64)), LambdaLr::new(|t| 0.9f64.powf(t as f64))),
        pair(OneCycleLr::new(0.3, 20).three_phase(true), OneCycleLr::new(1.0, 1)),
        pair(ReduceLrOnPlateau::min().patience(1).cooldown(2), ReduceLrOnPlateau::max()),
        pair(
            SequentialLr::new(LinearLr::new(3))
                .then(3, ChainedScheduler::new(StepLr::new(2)).and(ExponentialLr::new(0.9))),
            SequentialLr::new(LinearLr::new(1))
                .then(1, ChainedScheduler::new(StepLr::new(1)).and(ExponentialLr::new(0.5))),
        ),
    ]
}

#[test]
fn resumed_schedules_go_on_with_the_same_bits() {
    for [schedule, other] in kinds() {
        for before in 0..12 {
            let make = || Sgd::<f64>::new(0.7).momentum(0.5).group(|_, _| true, |group| group.with_lr(0.1));
            let bits = |opt: &Sgd<f64>| [(0, "lr"), (1, "lr"), (1, "momentum")].map(|(g, name)| opt.option(g, name));
            let metric = |epoch: i32| f64::from(epoch * 7 % 5);
            let mut opt = make();
            let mut scheduler = Scheduler::new(schedule.clone(), &mut opt);
            (0..before).for_each(|epoch| scheduler.step_on(&mut opt, metric(epoch)));
            let mut resumed = Scheduler::resume(other.clone(), &scheduler.state()).expect("a sound state");
            assert_eq!(resumed.state(), scheduler.state());
            let mut copy = make();
            copy.load_state(&opt.state()).expect("a sound state");
            for epoch in before..before + 8 {
                scheduler.step_on(&mut opt, metric(epoch));
                resumed.step_on(&mut copy, metric(epoch));
                assert_eq!(bits(&opt), bits(&copy), "{schedule:?}");
            }
            assert_eq!(resumed.epoch(), before as u64 + 8);
        }
    }
}

#[test]
fn damaged_states_are_told_apart() {
    let refuse = |damage: &dyn Fn(&mut ScheduleState), message: &str| {
        let schedule = || SequentialLr::new(StepLr::new(2)).then(3, MultiStepLr::new([1, 2]));
        let mut state = Scheduler::new(schedule(), &mut Sgd::<f32>::new(0.1)).state();
        damage(&mut state);
        assert_eq!(Scheduler::resume(schedule(), &state).expect_err(message).to_string(), message);
    };
    refuse(
        &|s| s.kind = "StepLr".into(),
        "the optimizer state is that of \"StepLr\", not of \"SequentialLr(StepLr, MultiStepLr)\"",
    );
    refuse(&|s| _ = s.numbers.remove("epoch"), "the optimizer state lacks \"epoch\"");
    refuse(&|s| _ = s.numbers.remove("0.gamma"), "the optimizer state lacks \"0.gamma\"");
    refuse(
        &|s| _ = s.numbers.insert("0.step_size".into(), 0.0),
        "step_size must be a whole number and at least 1, got 0",
    );
    refuse(
        &|s| _ = s.numbers.insert("0.step_size".into(), 0.5),
        "step_size must be a whole number and at least 0, got 0.5",
    );
    refuse(&|s| _ = s.numbers.insert("1.milestones".into(), 9e15), "the optimizer state lacks \"1.milestones.2\"");
    refuse(
        &|s| _ = s.numbers.insert("x".into(), 1.0),
        "the optimizer state holds \"x\", which this optimizer does not have",
    );
    refuse(
        &|s| {
            s.numbers.insert("1.base".into(), 0.0);
            s.numbers.remove("1.base.0");
        },
        "the schedule's parts know different numbers of groups",
    );
    refuse(
        &|s| _ = s.numbers.insert("milestones".into(), 0.0),
        "the optimizer state holds \"milestones.0\", which this optimizer does not have",
    );
}

#[test]
#[should_panic(expected = "StepLr: step_size must be a whole number and at least 1, got 0")]
fn steps_have_a_size() {
    run(StepLr::new(0));
}

#[test]
#[should_panic(expected = "OneCycleLr: the optimizer has no momentum to cycle")]
fn a_momentum_is_needed() {
    Scheduler::new(OneCycleLr::new(0.1, 10), &mut Adagrad::<f32>::new(0.1));
}

#[test]
#[should_panic(expected = "OneCycleLr: step 13 of a cycle of 12 steps")]
fn a_cycle_ends() {
    run(OneCycleLr::new(0.1, 12));
}

#[test]
#[should_panic(expected = "ReduceLrOnPlateau: a step needs a metric")]
fn a_plateau_needs_a_metric() {
    let mut opt = Sgd::<f32>::new(0.1);
    Scheduler::new(ReduceLrOnPlateau::min(), &mut opt).step(&mut opt);
}

#[test]
#[should_panic(expected = "the milestones must rise")]
fn milestones_rise() {
    run(SequentialLr::new(StepLr::new(1)).then(5, StepLr::new(1)).then(3, StepLr::new(1)));
}

#[test]
#[should_panic(
    expected = "ChainedScheduler(StepLr, MultiplicativeLr), step 3: lr must be finite and at least 0, got -0.25"
)]
fn a_negative_rate_names_schedule_and_step() {
    run(ChainedScheduler::new(StepLr::new(2)).and(MultiplicativeLr::new(|epoch| if epoch < 3 { 1.0 } else { -5.0 })));
}

#[test]
#[should_panic(expected = "LambdaLr, step 0: lr must be finite and at least 0, got")]
fn a_first_rate_is_checked() {
    run(LambdaLr::new(|epoch| epoch as f64 - 1.0));
}
