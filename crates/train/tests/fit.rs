//! Training on a toy: two clouds of points, one class each.

use chainrule_data::Dataset;
use chainrule_layers::{Linear, Module, Relu, Sequential};
use chainrule_optim::{Adam, Groups, Optimizer, Sgd};
use chainrule_tensor::{Rng, Tensor};
use chainrule_train::{EpochMetrics, FitError, FitOptions, Progress, Silent, evaluate, fit, predict_probabilities};

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
    let options = FitOptions { epochs: usize::MAX, batch: usize::MAX, anneal: true, clip: None };
    let begun = std::panic::catch_unwind(|| {
        fit(&mut net(1), &mut Sgd::new(0.1), &clouds(), options, &mut Rng::seed_from_u64(1), &mut Enough)
    });
    assert_eq!(begun.unwrap_err().downcast_ref(), Some(&"one epoch is enough"));
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
