//! What the three kinds of layers and cells share: names, shapes, states, lengths, dropout, messages. Their numbers are compared
//! with PyTorch's in the workspace's `tests`.

use crate::*;
use approx::assert_relative_eq;
use chainrule_tensor::ops::RnnActivation;
use chainrule_tensor::{Rng, Tensor};

fn rng() -> Rng {
    Rng::seed_from_u64(11)
}

fn randn<const N: usize>(shape: [usize; N]) -> Tensor<f64> {
    Tensor::randn(shape, &mut rng())
}

fn names(module: &dyn Module<f64>) -> Vec<String> {
    module.named_parameters().into_iter().map(|(name, _)| name).collect()
}

#[track_caller]
fn close(a: &Tensor<f64>, b: &Tensor<f64>) {
    assert_eq!(a.shape(), b.shape());
    assert_relative_eq!(a.to_vec()[..], b.to_vec()[..], epsilon = 1e-12);
}

#[test]
fn names_and_bounds_are_those_of_pytorch() {
    let lstm: Lstm<f64> = Lstm::builder(3, 4).layers(2).bidirectional(true).build(&mut rng());
    let per_layer =
        |layer: &str| ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map(|name| format!("{name}_{layer}"));
    assert_eq!(names(&lstm), ["l0", "l0_reverse", "l1", "l1_reverse"].map(per_layer).concat());
    assert_eq!(lstm.params(1, true).weight_ih.shape(), &[16, 8]);
    let gru: Gru<f64> = Gru::builder(3, 4).bias(false).build(&mut rng());
    assert_eq!(names(&gru), ["weight_ih_l0", "weight_hh_l0"]);
    assert_eq!(gru.params(0, false).weight_hh.shape(), &[12, 4]);
    let cell: LstmCell<f64> = LstmCell::new(3, 100, &mut rng());
    assert_eq!(names(&cell), ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]);
    for param in cell.parameters() {
        let largest = param.to_vec().iter().fold(0f64, |m, x| m.max(x.abs()));
        assert!((0.098..=0.1).contains(&largest), "{largest}");
    }
}

#[test]
fn the_layers_unroll_their_cells() {
    let x = randn([2, 5, 3]);
    let (h, c) = (randn([1, 2, 4]), randn([1, 2, 4]) * 0.5);
    let params = |from: &dyn Module<f64>, to: &mut dyn Module<f64>| {
        let state: StateDict<f64> =
            from.state_dict().iter().map(|(name, x)| (name.trim_end_matches("_l0").to_string(), x.clone())).collect();
        to.load_state_dict(&state).unwrap();
    };
    let rnn = Rnn::builder(3, 4).activation(RnnActivation::Relu).build(&mut rng());
    let mut cell = RnnCell::with(3, 4, RnnActivation::Relu, true, &mut rng());
    params(&rnn, &mut cell);
    let (y, last) = rnn.forward(&x, Some(&h), &mut Mode::Eval);
    let state = (0..5).fold(h.squeeze(0), |h, t| cell.forward(&x.select(1, t), Some(&h)));
    close(&last.squeeze(0), &state);
    close(&y.select(1, 4), &state);

    let gru = Gru::new(3, 4, &mut rng());
    let mut cell = GruCell::new(3, 4, &mut rng());
    params(&gru, &mut cell);
    let (y, last) = gru.forward(&x, None, &mut Mode::Eval);
    let state = (1..5).fold(cell.forward(&x.select(1, 0), None), |h, t| cell.forward(&x.select(1, t), Some(&h)));
    close(&last.squeeze(0), &state);
    close(&y.select(1, 4), &state);

    let lstm = Lstm::new(3, 4, &mut rng());
    let mut cell = LstmCell::new(3, 4, &mut rng());
    params(&lstm, &mut cell);
    let (y, last) = lstm.forward(&x, Some(&(h.clone(), c.clone()).into()), &mut Mode::Eval);
    let start = LstmState { h: h.squeeze(0), c: c.squeeze(0) };
    let state = (0..5).fold(start, |state, t| cell.forward(&x.select(1, t), Some(&state)));
    close(&last.h.squeeze(0), &state.h);
    close(&last.c.squeeze(0), &state.c);
    close(&y.select(1, 4), &state.h);
    assert_eq!(lstm.call(&x, &mut Mode::Eval).to_vec(), lstm.forward(&x, None, &mut Mode::Eval).0.to_vec());
}

#[test]
fn one_sequence_needs_no_batch() {
    let gru: Gru<f64> = Gru::builder(3, 4).layers(2).bidirectional(true).build(&mut rng());
    let (x, h) = (randn([1, 5, 3]), randn([4, 1, 4]));
    let (y, last) = gru.forward(&x, Some(&h), &mut Mode::Eval);
    let (y1, last1) = gru.forward(&x.squeeze(0), Some(&h.squeeze(1)), &mut Mode::Eval);
    assert_eq!((y1.shape(), last1.shape()), (&[5, 8].into(), &[4, 4].into()));
    close(&y.squeeze(0), &y1);
    close(&last.squeeze(1), &last1);
    let cell: LstmCell<f64> = LstmCell::new(3, 4, &mut rng());
    let (one, batch) = (cell.forward(&x.squeeze(0).select(0, 0), None), cell.forward(&x.select(1, 0), None));
    close(&one.c, &batch.c.squeeze(0));
}

#[test]
fn steps_may_come_first() {
    let first: Lstm<f64> = Lstm::builder(3, 4).bidirectional(true).build(&mut rng());
    let second: Lstm<f64> = Lstm::builder(3, 4).bidirectional(true).batch_first(false).build(&mut rng());
    let x = randn([2, 5, 3]);
    let (a, _) = first.forward_padded(&x, &[5, 2], None, &mut Mode::Eval);
    let (b, state) = second.forward_padded(&x.transpose(0, 1), &[5, 2], None, &mut Mode::Eval);
    close(&a, &b.transpose(0, 1));
    assert_eq!(state.h.shape(), &[2, 2, 4]);
}

#[test]
fn a_padded_sample_is_as_good_as_a_short_one() {
    let lstm: Lstm<f64> = Lstm::builder(3, 4).layers(2).bidirectional(true).build(&mut rng());
    let x = randn([3, 6, 3]);
    // Whatever stands in the padding.
    let hole = Tensor::full([1, 2, 3], f64::NAN);
    let padded = Tensor::cat(&[&x.narrow(0, 1, 1).narrow(1, 0, 4), &hole], 1);
    let x = Tensor::cat(&[&x.narrow(0, 0, 1), &padded, &x.narrow(0, 2, 1)], 0).requires_grad();
    let (y, state) = lstm.forward_padded(&x, &[6, 4, 1], None, &mut Mode::Eval);
    for (sample, length) in [(0, 6), (1, 4), (2, 1)] {
        let alone = x.detach().narrow(0, sample, 1).narrow(1, 0, length);
        let (y_alone, state_alone) = lstm.forward(&alone, None, &mut Mode::Eval);
        close(&y.narrow(0, sample, 1).narrow(1, 0, length), &y_alone);
        close(&state.h.narrow(1, sample, 1), &state_alone.h);
        close(&state.c.narrow(1, sample, 1), &state_alone.c);
        assert!(y.select(0, sample).narrow(0, length, 6 - length).to_vec().iter().all(|&y| y == 0.0));
    }
    let grads = (y.sum() + state.c.sum()).backward();
    let gradient = grads.get(&x).unwrap();
    assert!(gradient.select(0, 1).narrow(0, 4, 2).to_vec().iter().all(|&g| g == 0.0));
    assert!(lstm.parameters().iter().all(|p| grads.get(p).unwrap().to_vec().iter().all(|g| g.is_finite())));
}

#[test]
fn a_detached_state_carries_a_chunk_on() {
    let lstm: Lstm<f64> = Lstm::new(3, 4, &mut rng());
    let x = randn([2, 6, 3]).requires_grad();
    let (whole, _) = lstm.forward(&x, None, &mut Mode::Eval);
    let (_, state) = lstm.forward(&x.narrow(1, 0, 4), None, &mut Mode::Eval);
    let (rest, _) = lstm.forward(&x.narrow(1, 4, 2), Some(&state.detach()), &mut Mode::Eval);
    close(&rest, &whole.narrow(1, 4, 2));
    let gradient = rest.sum().backward();
    let gradient = gradient.get(&x).unwrap();
    assert!(gradient.narrow(1, 0, 4).to_vec().iter().all(|&g| g == 0.0));
    assert!(gradient.narrow(1, 4, 2).to_vec().iter().all(|&g| g != 0.0));
}

#[test]
fn dropout_stands_between_layers_in_training() {
    let gru = |layers| Gru::<f64>::builder(3, 50).layers(layers).dropout(1.0).build(&mut rng());
    let x = randn([2, 5, 3]);
    let train = |layer: &Gru<f64>| layer.forward(&x, None, &mut Mode::Train(&mut rng())).0;
    let eval = |layer: &Gru<f64>| layer.forward(&x, None, &mut Mode::Eval).0;
    close(&train(&gru(1)), &eval(&gru(1)));
    // With everything dropped, the second layer sees nothing but zeros.
    let two = gru(2);
    let second = train(&two);
    assert_eq!(second.select(0, 0).to_vec(), second.select(0, 1).to_vec());
    assert_ne!(eval(&two).select(0, 0).to_vec(), eval(&two).select(0, 1).to_vec());
}

#[test]
fn a_state_dict_loads_both_ways() {
    let build = |seed| Rnn::<f64>::builder(2, 3).layers(2).bidirectional(true).build(&mut Rng::seed_from_u64(seed));
    let (one, mut other) = (build(1), build(2));
    other.load_state_dict(&one.state_dict()).unwrap();
    let x = randn([2, 4, 2]);
    close(&one.call(&x, &mut Mode::Eval), &other.call(&x, &mut Mode::Eval));
    assert!(other.load_state_dict(&Rnn::new(2, 3, &mut rng()).state_dict()).is_err());
}

#[test]
fn a_summary_names_what_differs_from_the_defaults() {
    let describe = |layer: &dyn Layer| layer.describe();
    assert_eq!(describe(&Lstm::new(3, 5, &mut rng())), "Lstm(3, 5)");
    let gru: Gru = Gru::builder(3, 5).layers(2).dropout(0.5).bidirectional(true).bias(false).build(&mut rng());
    assert_eq!(describe(&gru), "Gru(3, 5, layers=2, bias=false, dropout=0.5, bidirectional=true)");
    let rnn: Rnn = Rnn::builder(3, 5).activation(RnnActivation::Relu).batch_first(false).build(&mut rng());
    assert_eq!(describe(&rnn), "Rnn(3, 5, activation=relu, batch_first=false)");
}

/// The message of a call that must fail, and the file that it points to.
fn failure(call: impl FnOnce() + std::panic::UnwindSafe) -> (String, String) {
    use std::sync::{Arc, Mutex, PoisonError};
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let found = Arc::new(Mutex::new(String::new()));
    let (place, hook) = (found.clone(), std::panic::take_hook());
    let thread = std::thread::current().id();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == thread {
            *place.lock().unwrap() = info.location().map_or(String::new(), |l| l.file().to_string());
        }
    }));
    let error = std::panic::catch_unwind(call).expect_err("the call fails");
    std::panic::set_hook(hook);
    let message = error.downcast_ref::<String>().cloned().unwrap_or_default();
    let file = found.lock().unwrap().clone();
    (message, file)
}

#[test]
fn mistakes_are_named_at_the_callers_line() {
    let lstm = || Lstm::<f32>::builder(3, 4).layers(2).build(&mut rng());
    let x = || Tensor::zeros([2, 5, 3]);
    let padded = |lengths: &'static [usize]| move || drop(lstm().forward_padded(&x(), lengths, None, &mut Mode::Eval));
    let state = || LstmState { h: Tensor::zeros([2, 2, 4]), c: Tensor::zeros([1, 2, 4]) };
    type Call = Box<dyn FnOnce() + std::panic::UnwindSafe>;
    let calls: [(&str, Call); 8] = [
        (
            "Lstm: input [2, 5, 4] must be [N, L, 3] or [L, 3]",
            Box::new(move || {
                drop(lstm().forward(&Tensor::zeros([2, 5, 4]), None, &mut Mode::Eval));
            }),
        ),
        (
            "Lstm: input [2, 0, 3] has no step",
            Box::new(move || {
                drop(lstm().forward(&Tensor::zeros([2, 0, 3]), None, &mut Mode::Eval));
            }),
        ),
        (
            "Lstm: the state [1, 2, 4] must be [2, 2, 4]",
            Box::new(move || {
                drop(lstm().forward(&x(), Some(&state()), &mut Mode::Eval));
            }),
        ),
        ("lstm: 3 lengths for 2 samples", Box::new(padded(&[1, 2, 3]))),
        ("lstm: the length 0 of sample 1 is not between 1 and 5, the steps there are", Box::new(padded(&[1, 0]))),
        ("lstm: the length 6 of sample 0 is not between 1 and 5, the steps there are", Box::new(padded(&[6, 1]))),
        (
            "GruCell: the state [1, 4] must be [2, 4]",
            Box::new(|| {
                GruCell::<f32>::new(3, 4, &mut rng()).forward(&Tensor::zeros([2, 3]), Some(&Tensor::zeros([1, 4])));
            }),
        ),
        (
            "Gru: there must be at least one layer",
            Box::new(|| {
                Gru::<f32>::builder(3, 4).layers(0).build(&mut rng());
            }),
        ),
    ];
    for (expected, call) in calls {
        let (message, file) = failure(call);
        assert_eq!(message, expected);
        assert!(file.ends_with("tests.rs"), "{expected}: points to {file}");
    }
}
