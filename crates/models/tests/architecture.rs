//! Nets from configurations: counts, shapes, and what makes no net.

use chainrule_layers::{Layer, Mode, Module};
use chainrule_models::{Architecture, Cnn, CnnLstm, Mlp, Recurrent};
use chainrule_tensor::{Rng, Tensor};

fn mlp(input: &[usize], hidden: &[usize], outputs: usize, dropout: f64) -> Architecture {
    Architecture::Mlp(Mlp { input: input.into(), hidden: hidden.into(), outputs, dropout })
}

fn cnn(input: &[usize], channels: &[usize], hidden: usize, outputs: usize, dropout: f64) -> Architecture {
    Architecture::Cnn(Cnn { input: input.into(), channels: channels.into(), hidden, outputs, dropout })
}

#[test]
fn parameters_are_counted_as_they_are_built() {
    let mut rng = Rng::seed_from_u64(1);
    let mut nets = vec![
        Architecture::by_name("mlp", &[1, 28, 28], 10).unwrap(),
        Architecture::by_name("cnn", &[1, 28, 28], 10).unwrap(),
        mlp(&[1], &[], 1, 0.0),
        cnn(&[2, 1, 5], &[], 3, 2, 0.0),
        Architecture::by_name("lstm", &[1, 28, 28], 10).unwrap(),
        Architecture::by_name("cnn-lstm", &[3, 1, 8, 9], 2).unwrap(),
    ];
    for _ in 0..30 {
        let mut sizes =
            |most: usize, of: usize| -> Vec<usize> { (0..rng.below(most)).map(|_| 1 + rng.below(of)).collect() };
        let (hidden, channels, more) = (sizes(4, 20), sizes(4, 6), sizes(3, 4));
        let input = [&[1 + rng.below(9)][..], &more].concat();
        let dropout = 0.1 * rng.below(3) as f64;
        nets.push(mlp(&input, &hidden, 1 + rng.below(5), dropout));
        let image = [1 + rng.below(3), 8 + rng.below(9), 8 + rng.below(9)];
        nets.push(cnn(&image, &channels, 1 + rng.below(9), 1 + rng.below(5), dropout));
        let (input, hidden, layers) = (vec![1 + rng.below(4), 1 + rng.below(5)], 1 + rng.below(9), 1 + rng.below(3));
        let (bidirectional, outputs) = (rng.below(2) == 1, 1 + rng.below(5));
        let recurrent = Recurrent { input, hidden, layers, bidirectional, outputs, dropout };
        let kinds = [Architecture::Rnn, Architecture::Lstm, Architecture::Gru];
        nets.push(kinds[rng.below(3)](recurrent));
        let film = [&[1 + rng.below(3)][..], &image].concat();
        nets.push(Architecture::CnnLstm(CnnLstm { input: film, channels, hidden, outputs, dropout }));
    }
    for architecture in nets {
        let net = architecture.build(&mut rng).unwrap();
        assert_eq!(architecture.parameters().unwrap(), net.num_parameters(), "{architecture:?}");
        let x = Tensor::randn([&[2], architecture.input()].concat(), &mut rng);
        for mode in [&mut Mode::Eval, &mut Mode::Train(&mut Rng::seed_from_u64(2))] {
            assert_eq!(net.call(&x, mode).shape(), &[2, architecture.outputs()], "{architecture:?}");
        }
    }
}

#[test]
fn layers_have_their_usual_names() {
    let mut rng = Rng::seed_from_u64(1);
    let mut names = |architecture: Architecture| {
        let net = architecture.build(&mut rng).unwrap();
        net.named_parameters().into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(mlp(&[2, 2], &[3], 2, 0.5)), "fc1.weight fc1.bias fc2.weight fc2.bias");
    assert_eq!(
        names(cnn(&[1, 8, 8], &[2, 2], 3, 2, 0.5)),
        "conv1.weight conv1.bias conv2.weight conv2.bias fc1.weight fc1.bias fc2.weight fc2.bias"
    );
    assert_eq!(
        names(Architecture::by_name("gru", &[5, 3], 2).unwrap()),
        "gru.weight_ih_l0 gru.weight_hh_l0 gru.bias_ih_l0 gru.bias_hh_l0 fc.weight fc.bias"
    );
    let film = CnnLstm { channels: vec![2], ..CnnLstm::new(&[3, 1, 4, 4], 2) };
    assert_eq!(
        names(Architecture::CnnLstm(film)),
        "frame.conv1.weight frame.conv1.bias lstm.weight_ih_l0 lstm.weight_hh_l0 lstm.bias_ih_l0 lstm.bias_hh_l0 \
         fc.weight fc.bias"
    );
}

#[test]
fn what_makes_no_net_is_named_without_allocating() {
    const HUGE: usize = usize::MAX / 2;
    let lstm = |input: &[usize], hidden, layers, dropout| {
        let (input, bidirectional, outputs) = (input.to_vec(), true, 2);
        Architecture::Lstm(Recurrent { input, hidden, layers, bidirectional, outputs, dropout })
    };
    let film = |input: &[usize]| Architecture::CnnLstm(CnnLstm::new(input, 2));
    for (architecture, part) in [
        (mlp(&[], &[3], 2, 0.0), "mlp: inputs need a dimension"),
        (mlp(&[2, 0], &[3], 2, 0.0), "mlp: a size is 0: input [2, 0], hidden [3], outputs 2"),
        (mlp(&[2], &[3, 0], 2, 0.0), "a size is 0"),
        (mlp(&[2], &[3], 0, 0.0), "a size is 0"),
        (mlp(&[2], &[3], 2, 1.0), "mlp: the dropout probability 1 is not in [0, 1)"),
        (mlp(&[2], &[3], 2, f64::NAN), "the dropout probability NaN"),
        (mlp(&[HUGE, HUGE], &[3], 2, 0.0), "mlp: the sizes are too large"),
        (mlp(&[2], &[HUGE, HUGE], 2, 0.0), "too large"),
        (mlp(&[usize::MAX], &[1], 2, 0.0), "too large"),
        (
            cnn(&[4], &[2], 3, 2, 0.0),
            "cnn: inputs must be images [channels, height, width], not [4]; the mlp takes any",
        ),
        (cnn(&[1, 0, 8], &[], 3, 2, 0.0), "cnn: a size is 0"),
        (cnn(&[1, 8, 8], &[0], 3, 2, 0.0), "a size is 0"),
        (cnn(&[1, 8, 8], &[2], 0, 2, 0.0), "a size is 0"),
        (cnn(&[1, 8, 8], &[2], 3, 0, 0.0), "a size is 0"),
        (cnn(&[1, 8, 8], &[2], 3, 2, -0.1), "the dropout probability -0.1"),
        (cnn(&[1, 8, 3], &[2, 2], 3, 2, 0.0), "images of [8, 3] are too small for 2 poolings"),
        (cnn(&[1, 8, 8], &[2], HUGE, HUGE, 0.0), "too large"),
        (cnn(&[1, HUGE, HUGE], &[2], 3, 2, 0.0), "too large"),
        (cnn(&[1, HUGE, HUGE], &[], 3, 2, 0.0), "too large"),
        (cnn(&[HUGE, 8, 8], &[2], 3, 2, 0.0), "too large"),
        // Few weights, but an image of a million by a million pixels.
        (cnn(&[1, 1 << 20, 1 << 20], &[1; 20], 3, 2, 0.0), "too large"),
        (lstm(&[4], 3, 1, 0.0), "lstm: inputs must be sequences [steps, features] or images, not [4]"),
        (lstm(&[4, 2], 0, 1, 0.0), "lstm: a size is 0: input [4, 2], hidden 0, layers 1, outputs 2"),
        (lstm(&[4, 2], 3, 0, 0.0), "a size is 0"),
        (lstm(&[4, 2], 3, 1, 1.0), "lstm: the dropout probability 1 is not in [0, 1)"),
        (lstm(&[4, 2], HUGE, 1, 0.0), "lstm: the sizes are too large"),
        (lstm(&[HUGE, 2], 3, 1, 0.0), "too large"),
        (lstm(&[1 << 40, 1], 1, 1, 0.0), "too large"),
        (film(&[1, 8, 8]), "cnn-lstm: inputs must be films [frames, channels, height, width], not [1, 8, 8]"),
        (film(&[5, 1, 2, 8]), "cnn-lstm: images of [2, 8] are too small for 2 poolings"),
        (film(&[1 << 40, 1, 8, 8]), "cnn-lstm: the sizes are too large"),
        (film(&[0, 1, 8, 8]), "cnn-lstm: a size is 0"),
    ] {
        for error in
            [architecture.parameters().unwrap_err(), architecture.build(&mut Rng::seed_from_u64(1)).unwrap_err()]
        {
            assert!(error.to_string().contains(part), "{architecture:?}: {error}");
        }
    }
    let message = Architecture::by_name("tree", &[4], 2).unwrap_err().to_string();
    assert_eq!(message, "there is no model \"tree\"; the models are mlp, cnn, rnn, lstm, gru, cnn-lstm");
}

#[test]
fn the_last_state_is_the_one_of_each_direction() {
    // The end of the sequence decides what the forward direction remembers, its beginning what the reverse one does.
    let recurrent = Recurrent { bidirectional: true, ..Recurrent::new(&[6, 2], 3) };
    let net = Architecture::Gru(recurrent).build(&mut Rng::seed_from_u64(1)).unwrap();
    let x = Tensor::randn([1, 6, 2], &mut Rng::seed_from_u64(2)).requires_grad();
    let grads = net.call(&x, &mut Mode::Eval).sum().backward();
    let size = |step: usize| grads.get(&x).unwrap().select(1, step).abs().sum().item();
    assert!(size(0) > size(2) && size(5) > size(3));
}

#[test]
fn configurations_travel_as_json() {
    for name in Architecture::NAMES {
        let input: &[usize] = if name == "cnn-lstm" { &[2, 1, 8, 8] } else { &[1, 8, 8] };
        let architecture = Architecture::by_name(name, input, 2).unwrap();
        let json = serde_json::to_string(&architecture).unwrap();
        assert!(json.contains(&format!("\"model\":\"{name}\"")), "{json}");
        assert_eq!(serde_json::from_str::<Architecture>(&json).unwrap(), architecture);
        assert_eq!(architecture.name(), name);
    }
}
