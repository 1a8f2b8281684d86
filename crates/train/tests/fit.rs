//! Training on a toy: two clouds of points, one class each.

use chainrule_data::Dataset;
use chainrule_layers::{Linear, Mode, Module, Relu, Sequential};
use chainrule_optim::{Adam, Groups, OptimError, Optimizer, OptimizerState, Sgd};
use chainrule_tensor::{Gradients, Rng, Tensor};
use chainrule_train::{
    BatchLoss, EpochMetrics, FitError, FitOptions, Objective, Progress, Silent, evaluate, fit, predict_probabilities,
};
use std::cell::Cell;

const OPTIONS: FitOptions = FitOptions { epochs: 20, batch: 8, anneal: true, clip: None };

fn clouds() -> Dataset {
    let mut rng = Rng::seed_from_u64(3);
    let labels: Vec<usize> = (0..60).map(|i| i % 2).collect();
    let noise: Tensor = Tensor::randn([60, 2], &mut rng);
    let mut points = noise.to_array() * 0.3;
    for (mut point, &label) in points.outer_iter_mut().zip(&labels) {
        point[1] += if label == 0 { -1.0 } else { 1.0 };
    }
    Dataset::new("clouds", points, labels, ["below", "above"]).unwrap()
}

fn net(seed: u64) -> Sequential {
    let mut rng = Rng::seed_from_u64(seed);
    Sequential::new().add(Linear::new(2, 8, &mut rng)).add(Relu).add(Linear::new(8, 2, &mut rng))
}

fn values(net: &Sequential) -> Vec<Vec<f32>> {
    net.state_dict().iter().map(|(_, value)| value.to_vec()).collect()
}

#[test]
fn the_loss_falls_and_the_clouds_come_apart() {
    let data = clouds();
    let optimizers: [Box<dyn Optimizer>; 2] = [Box::new(Adam::new(0.02)), Box::new(Sgd::new(0.1).momentum(0.9))];
    for mut optimizer in optimizers {
        let mut net = net(1);
        let before = evaluate(&net, &data);
        let history = fit(&mut net, &mut *optimizer, &data, OPTIONS, &mut Rng::seed_from_u64(1), &mut Silent).unwrap();
        let after = evaluate(&net, &data);
        assert!(history.iter().map(|epoch| epoch.epoch).eq(1..=20));
        assert!(history[19].loss < 0.5 * history[0].loss && after.loss < 0.5 * before.loss);
        assert_eq!((after.confusion.accuracy(), after.confusion.total()), (1.0, 60));
        let last = &history[19];
        assert!((last.loss - after.loss).abs() < 0.05 && last.accuracy > Some(0.95), "{last:?}, {after:?}");
    }
}

#[test]
fn a_seed_gives_the_same_bits() {
    let data = clouds();
    let train = |seed| {
        let mut net = net(1);
        fit(&mut net, &mut Adam::new(0.02), &data, OPTIONS, &mut Rng::seed_from_u64(seed), &mut Silent).unwrap();
        values(&net)
    };
    assert_eq!(train(1), train(1));
    assert_ne!(train(1), train(2));
}

/// Writes down what it is told.
#[derive(Default)]
struct Diary(Vec<String>);

impl Progress for Diary {
    fn epoch_started(&mut self, epoch: usize, batches: usize) {
        self.0.push(format!("{epoch}: {batches}"));
    }
    fn batch_done(&mut self, loss: f64) {
        self.0.push(if loss.is_finite() { "batch".into() } else { format!("{loss}") });
    }
    fn epoch_done(&mut self, metrics: &EpochMetrics) {
        self.0.push(format!("done {}", metrics.epoch));
    }
}

#[test]
fn progress_hears_everything_in_order() {
    let mut diary = Diary::default();
    let options = FitOptions { epochs: 2, batch: 25, anneal: false, clip: None };
    fit(&mut net(1), &mut Adam::new(0.01), &clouds(), options, &mut Rng::seed_from_u64(1), &mut diary).unwrap();
    let epoch = |n: usize| [format!("{n}: 3"), "batch".into(), "batch".into(), "batch".into(), format!("done {n}")];
    assert_eq!(diary.0, [epoch(1), epoch(2)].concat());
}

#[test]
fn annealing_ends_where_it_began() {
    // The weights after one step of rate r and one of r/2, without momentum, are those of two runs of one step each.
    let data = clouds();
    let run = |net: &mut Sequential, lr: f64, epochs: usize, anneal: bool| {
        let mut optimizer = Sgd::new(lr);
        let options = FitOptions { epochs, batch: 1000, anneal, clip: None };
        fit(net, &mut optimizer, &data, options, &mut Rng::seed_from_u64(1), &mut Silent).unwrap();
        assert_eq!(optimizer.lr(), lr);
    };
    let (mut annealed, mut apart) = (net(1), net(1));
    run(&mut annealed, 0.5, 2, true);
    run(&mut apart, 0.5, 1, false);
    run(&mut apart, 0.25, 1, false);
    for (a, b) in values(&annealed).concat().into_iter().zip(values(&apart).concat()) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
}

/// The clouds, all of them in each batch, and in each epoch as many batches as the list says. In the last one nothing is finite
/// any more, if it is so wanted.
struct Uneven {
    clouds: Dataset,
    batches: &'static [usize],
    diverges: bool,
    epoch: Cell<usize>,
}

impl Uneven {
    fn new(batches: &'static [usize], diverges: bool) -> Self {
        Uneven { clouds: clouds(), batches, diverges, epoch: Cell::new(0) }
    }
}

impl Objective<Sequential> for Uneven {
    type Batch = ();

    fn batches<'a>(&'a self, _: usize, _: &mut Rng) -> Box<dyn ExactSizeIterator<Item = ()> + 'a> {
        let epoch = self.epoch.replace(self.epoch.get() + 1);
        Box::new((0..self.batches[epoch]).map(|_| ()))
    }

    fn loss(&self, net: &Sequential, (): (), mode: &mut Mode<'_>) -> BatchLoss {
        let batch = self.clouds.batches_in_order(self.clouds.len()).next().unwrap();
        let outcome = Objective::loss(&self.clouds, net, batch, mode);
        let broken = self.diverges && self.epoch.get() == self.batches.len();
        if broken { BatchLoss { loss: &outcome.loss * f32::NAN, ..outcome } } else { outcome }
    }
}

/// Writes down the rate of each step.
#[derive(Debug)]
struct Watched(Sgd, Vec<f64>);

impl Groups for Watched {
    fn groups(&self) -> usize {
        self.0.groups()
    }
    fn option(&self, group: usize, name: &str) -> Option<f64> {
        self.0.option(group, name)
    }
    fn set_option(&mut self, group: usize, name: &str, value: f64) {
        self.0.set_option(group, name, value);
    }
}

impl Optimizer for Watched {
    fn step(&mut self, model: &mut dyn Module, grads: &Gradients) {
        self.1.push(self.0.lr());
        self.0.step(model, grads);
    }
    fn state(&self) -> OptimizerState {
        self.0.state()
    }
    fn load_state(&mut self, state: &OptimizerState) -> Result<(), OptimError> {
        self.0.load_state(state)
    }
}

#[test]
fn the_rate_falls_evenly_through_epochs_of_uneven_length() {
    let data = Uneven::new(&[6, 1, 2], false);
    let options = FitOptions { epochs: 3, ..OPTIONS };
    let mut optimizer = Watched(Sgd::new(0.1), Vec::new());
    fit(&mut net(1), &mut optimizer, &data, options, &mut Rng::seed_from_u64(1), &mut Silent).unwrap();
    let shares = [18, 17, 16, 15, 14, 13, 12, 6, 3].map(|eighteenths| f64::from(eighteenths) / 18.0);
    assert_eq!(optimizer.1.len(), shares.len());
    for (rate, share) in optimizer.1.iter().zip(shares) {
        assert!((rate - 0.1 * share).abs() < 1e-15, "{:?}", optimizer.1);
    }
}

#[test]
fn the_rate_comes_back_after_a_failure() {
    let options = FitOptions { epochs: 2, ..OPTIONS };
    let mut optimizer = Watched(Sgd::new(0.1), Vec::new());
    let data = Uneven::new(&[4, 4], true);
    let failed = fit(&mut net(1), &mut optimizer, &data, options, &mut Rng::seed_from_u64(1), &mut Silent);
    assert!(matches!(failed, Err(FitError::Diverged { epoch: 2, batch: 1, .. })), "{failed:?}");
    assert_eq!((optimizer.1.len(), optimizer.lr()), (4, 0.1));
}

#[test]
fn divergence_is_an_error_and_says_where() {
    let data = clouds();
    let run = |lr: f64, epochs: usize, batch: usize| {
        let options = FitOptions { epochs, batch, anneal: true, clip: None };
        fit(&mut net(1), &mut Sgd::new(lr), &data, options, &mut Rng::seed_from_u64(1), &mut Silent).unwrap_err()
    };
    let error = run(1e30, 3, 20);
    assert!(matches!(error, FitError::Diverged { epoch: 1, batch: 2 | 3, loss } if !loss.is_finite()), "{error}");
    assert!(error.to_string().starts_with("training diverged: the loss of batch "), "{error}");
    // The only step: no loss will show it.
    let error = run(1e300, 1, 1000);
    assert_eq!(error, FitError::NotFinite { parameter: "0.weight".into() });
}

#[test]
fn no_number_of_epochs_is_too_large_to_begin() {
    struct Enough;
    impl Progress for Enough {
        fn epoch_done(&mut self, _: &EpochMetrics) {
            panic!("one epoch is enough");
        }
    }
    for batch in [usize::MAX, 25] {
        let options = FitOptions { epochs: usize::MAX, batch, anneal: true, clip: None };
        let begun = std::panic::catch_unwind(|| {
            fit(&mut net(1), &mut Sgd::new(0.1), &clouds(), options, &mut Rng::seed_from_u64(1), &mut Enough)
        });
        assert_eq!(begun.unwrap_err().downcast_ref(), Some(&"one epoch is enough"));
    }
}

#[test]
fn probabilities_do_not_depend_on_the_company() {
    let net = net(2);
    let x: Tensor = Tensor::randn([600, 2], &mut Rng::seed_from_u64(4));
    let all = predict_probabilities(&net, &x);
    assert_eq!(all.shape(), &[600, 2]);
    for row in [0, 255, 256, 599] {
        let alone = predict_probabilities(&net, &x.narrow(0, row, 1)).to_vec();
        let among = all.narrow(0, row, 1).to_vec();
        assert!(alone.iter().zip(&among).all(|(a, b)| (a - b).abs() < 1e-6));
        assert!((among.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}
