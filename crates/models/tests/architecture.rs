//! Nets from configurations: counts, shapes, and what makes no net.

use chainrule_layers::{Layer, Mode, Module};
use chainrule_models::{Architecture, Cnn, Mlp};
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
}

#[test]
fn what_makes_no_net_is_named_without_allocating() {
    const HUGE: usize = usize::MAX / 2;
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
    ] {
        for error in
            [architecture.parameters().unwrap_err(), architecture.build(&mut Rng::seed_from_u64(1)).unwrap_err()]
        {
            assert!(error.to_string().contains(part), "{architecture:?}: {error}");
        }
    }
    let message = Architecture::by_name("rnn", &[4], 2).unwrap_err().to_string();
    assert_eq!(message, "there is no model \"rnn\"; the models are mlp, cnn");
}
