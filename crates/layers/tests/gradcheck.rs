//! The gradients of whole layers, to their input and to every parameter, against finite differences in f64.

use chainrule_layers::{
    BatchNorm1d, BatchNorm2d, Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d, GroupNorm, InstanceNorm2d, Layer,
    Linear, Lstm, LstmCell, LstmState, MaxPool2d, Mode, Module, PixelShuffle, Sequential, Tanh, Upsample,
};
use chainrule_tensor::ops::Interpolation;
use chainrule_tensor::{Rng, Tensor, gradcheck, gradgradcheck};

fn rng() -> Rng {
    Rng::seed_from_u64(23)
}

fn randn<const N: usize>(shape: [usize; N]) -> Tensor<f64> {
    Tensor::randn(shape, &mut rng())
}

/// Compares the gradient of a weighted sum of the outputs to each element of each parameter with a central difference.
fn check_parameters<M: Module<f64>>(mut module: M, forward: impl Fn(&M) -> Tensor<f64>) {
    let weights = randn([forward(&module).numel()]);
    let loss = |module: &M| (forward(module).flatten(0) * &weights).sum();
    let grads = loss(&module).backward();
    let expected: Vec<(String, Vec<f64>)> = module
        .named_parameters()
        .into_iter()
        .map(|(name, param)| (name, grads.get(param).expect("every parameter has a gradient").to_vec()))
        .collect();
    assert!(!expected.is_empty());
    let step = 1e-5;
    for (i, (name, expected)) in expected.into_iter().enumerate() {
        for (element, expected) in expected.into_iter().enumerate() {
            let mut at = |offset: f64| {
                let before = module.parameters()[i].to_vec()[element];
                module.parameters_mut()[i].values_mut()[element] = before + offset;
                let loss = loss(&module).item();
                module.parameters_mut()[i].values_mut()[element] = before;
                loss
            };
            let numeric = (at(step) - at(-step)) / (2.0 * step);
            let close = (expected - numeric).abs() <= 1e-7 + 1e-6 * numeric.abs();
            assert!(close, "{name}, element {element}: backward gives {expected:e}, finite differences {numeric:e}");
        }
    }
}

#[test]
fn linear() {
    let layer: Linear<f64> = Linear::new(3, 4, &mut rng());
    let x = randn([2, 3, 3]);
    gradcheck(|inputs| layer.forward(&inputs[0]), &[&x]).unwrap();
    check_parameters(layer, |layer| layer.forward(&x));
}

#[test]
fn conv2d_with_every_setting() {
    let layer: Conv2d<f64> =
        Conv2d::builder(4, 6, [3, 2]).stride([2, 1]).padding([1, 2]).dilation([1, 2]).groups(2).build(&mut rng());
    let x = randn([2, 4, 5, 4]);
    gradcheck(|inputs| layer.forward(&inputs[0]), &[&x]).unwrap();
    check_parameters(layer, |layer| layer.forward(&x));
}

#[test]
fn batch_norm_in_both_modes() {
    let layer = || {
        let mut layer: BatchNorm2d<f64> = BatchNorm2d::new(3);
        layer.weight.as_mut().unwrap().set(&[0.5, -1.5, 2.0].into());
        layer.bias.as_mut().unwrap().set(&[0.1, 0.2, -0.3].into());
        layer.running_mean.as_ref().unwrap().set(&[0.5, 0.0, -0.5].into());
        layer.running_var.as_ref().unwrap().set(&[0.5, 2.0, 1.5].into());
        layer
    };
    let x = randn([4, 3, 2, 3]);
    let train = |layer: &BatchNorm2d<f64>, x: &Tensor<f64>| layer.forward(x, &mut Mode::Train(&mut rng()));
    let eval = |layer: &BatchNorm2d<f64>, x: &Tensor<f64>| layer.forward(x, &mut Mode::Eval);
    gradcheck(|inputs| train(&layer(), &inputs[0]), &[&x]).unwrap();
    gradgradcheck(|inputs| train(&layer(), &inputs[0]), &[&x]).unwrap();
    gradcheck(|inputs| eval(&layer(), &inputs[0]), &[&x]).unwrap();
    // The running estimates move on with every pass, but training does not read them.
    check_parameters(layer(), |layer| train(layer, &x));
    check_parameters(layer(), |layer| eval(layer, &x));
}

#[test]
fn lstm_cell() {
    let cell: LstmCell<f64> = LstmCell::new(3, 4, &mut rng());
    let (x, h, c) = (randn([2, 3]), randn([2, 4]), randn([2, 4]) * 0.5);
    let both = |cell: &LstmCell<f64>, x: &Tensor<f64>, h: &Tensor<f64>, c: &Tensor<f64>| {
        let state = cell.forward(x, Some(&LstmState { h: h.clone(), c: c.clone() }));
        Tensor::cat(&[&state.h, &state.c], 1)
    };
    gradcheck(|inputs| both(&cell, &inputs[0], &inputs[1], &inputs[2]), &[&x, &h, &c]).unwrap();
    gradgradcheck(|inputs| both(&cell, &inputs[0], &inputs[1], &inputs[2]), &[&x, &h, &c]).unwrap();
    check_parameters(cell, |cell| both(cell, &x, &h, &c));
}

#[test]
fn lstm() {
    let layer: Lstm<f64> = Lstm::new(3, 4, &mut rng());
    let (x, h, c) = (randn([2, 5, 3]), randn([2, 4]), randn([2, 4]) * 0.5);
    // The outputs and the last memory, so that gradients flow in on every way.
    let all = |layer: &Lstm<f64>, x: &Tensor<f64>, h: &Tensor<f64>, c: &Tensor<f64>| {
        let start = LstmState { h: h.unsqueeze(0), c: c.unsqueeze(0) };
        let (outputs, state) = layer.forward(x, Some(&start), &mut Mode::Eval);
        Tensor::cat(&[&outputs.flatten(1), &state.h.squeeze(0), &state.c.squeeze(0)], 1)
    };
    gradcheck(|inputs| all(&layer, &inputs[0], &inputs[1], &inputs[2]), &[&x, &h, &c]).unwrap();
    check_parameters(layer, |layer| all(layer, &x, &h, &c));
}

#[test]
fn sequences_shrink_and_grow() {
    let net: Sequential<f64> = Sequential::new()
        .add(Conv1d::builder(2, 4, 4).groups(2).same_padding().build(&mut rng()))
        .add(BatchNorm1d::new(4).without_running_stats())
        .add(Tanh)
        .add(ConvTranspose1d::builder(4, 2, 3).stride(2).output_padding(1).build(&mut rng()));
    let x = randn([2, 2, 5]);
    let forward = |net: &Sequential<f64>, x: &Tensor<f64>| net.forward(x, &mut Mode::Eval);
    assert_eq!(forward(&net, &x).shape(), &[2, 2, 12]);
    gradcheck(|inputs| forward(&net, &inputs[0]), &[&x]).unwrap();
    gradgradcheck(|inputs| forward(&net, &inputs[0]), &[&x]).unwrap();
    check_parameters(net, |net| forward(net, &x));
}

/// An image is brought down to a code and back to its size, twice: by a transposed convolution, and by interpolation and
/// pixel shuffle.
#[test]
fn autoencoder() {
    let smooth = Interpolation::Linear { align_corners: false };
    let encoder: Sequential<f64> = Sequential::new()
        .add(Conv2d::builder(1, 4, 3).stride(2).padding(1).build(&mut rng()))
        .add(GroupNorm::new(2, 4))
        .add(Tanh)
        .add(MaxPool2d::new(2));
    let decoder: Sequential<f64> = Sequential::new()
        .add(ConvTranspose2d::builder(4, 4, 4).stride(2).padding(1).build(&mut rng()))
        .add(InstanceNorm2d::new(4).with_affine())
        .add(Tanh)
        .add(PixelShuffle(2))
        .add(MaxPool2d::new(2).stride(1).padding(1))
        .add(Upsample::new([8, 8], smooth))
        .add(Conv2d::builder(1, 1, 3).same_padding().build(&mut rng()));
    let net = Sequential::new().named("encoder", encoder).named("decoder", decoder);
    let x = randn([2, 1, 8, 8]);
    let forward = |net: &Sequential<f64>, x: &Tensor<f64>| net.call(x, &mut Mode::Train(&mut rng()));
    assert_eq!(forward(&net, &x).shape(), x.shape());
    gradcheck(|inputs| forward(&net, &inputs[0]), &[&x]).unwrap();
    gradgradcheck(|inputs| forward(&net, &inputs[0]), &[&x]).unwrap();
    check_parameters(net, |net| forward(net, &x));
}
