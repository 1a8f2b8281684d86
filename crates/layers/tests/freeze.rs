//! Every layer honors frozen parameters: no gradient flows to them, and all others get the one that they got before.

use chainrule_layers::{
    BatchNorm2d, Bilinear, Checkpoint, Conv2d, Embedding, Layer, LayerNorm, Linear, LstmCell, Mode, Module, RmsNorm,
    Sequential, SpectralNorm, Tanh, WeightNorm,
};
use chainrule_tensor::{Rng, Tensor};

/// Freezes each parameter alone, then all, and compares the gradients of the sum of squares of the output.
fn check<M: Module>(name: &str, mut module: M, forward: impl Fn(&M) -> Tensor) {
    let gradients = |module: &M| -> Vec<Option<Vec<f32>>> {
        let y = forward(module);
        let grads = (&y * &y).sum().backward();
        module.parameters().iter().map(|param| grads.get(param).map(|g| g.to_vec())).collect()
    };
    let free = gradients(&module);
    assert!(!free.is_empty() && free.iter().all(Option::is_some), "{name}");
    for frozen in 0..free.len() {
        module.parameters_mut()[frozen].freeze();
        for (i, (g, free)) in gradients(&module).iter().zip(&free).enumerate() {
            let expected = if i == frozen { &None } else { free };
            assert_eq!(g, expected, "{name}: parameter {i} while {frozen} is frozen");
        }
        module.parameters_mut()[frozen].unfreeze();
    }
    module.parameters_mut().into_iter().for_each(|param| param.freeze());
    assert!(!forward(&module).is_tracked(), "{name}: all parameters are frozen");
}

#[test]
fn frozen_parameters_get_no_gradient() {
    let rng = &mut Rng::seed_from_u64(3);
    let (rows, images) = (Tensor::randn([4, 3], rng), Tensor::randn([2, 2, 4, 4], rng));
    let eval = || Mode::Eval;
    check("Linear", Linear::new(3, 2, rng), |layer| layer.forward(&rows));
    check("Conv2d", Conv2d::new(2, 3, 3, rng), |layer| layer.forward(&images));
    check("BatchNorm2d", BatchNorm2d::new(2), |layer| {
        layer.forward(&images, &mut Mode::Train(&mut Rng::seed_from_u64(1)))
    });
    check("BatchNorm2d, evaluated", BatchNorm2d::new(2), |layer| layer.forward(&images, &mut eval()));
    check("LayerNorm", LayerNorm::new(3), |layer| layer.call(&rows, &mut eval()));
    check("RmsNorm", RmsNorm::new(3), |layer| layer.call(&rows, &mut eval()));
    check("Embedding", Embedding::new(5, 3, rng), |layer| layer.forward(&[0, 3, 3], [3]));
    check("Bilinear", Bilinear::new(3, 3, 2, true, rng), |layer| layer.forward(&rows, &rows));
    check("LstmCell", LstmCell::new(3, 2, rng), |layer| layer.forward(&rows, None).h);
    check("WeightNorm", WeightNorm::new(Linear::new(3, 2, rng)), |layer| layer.call(&rows, &mut eval()));
    let spectral = SpectralNorm::new(Linear::new(3, 2, rng), rng);
    check("SpectralNorm", spectral, |layer| layer.call(&rows, &mut eval()));
    let chain = || Sequential::new().add(Linear::new(3, 4, &mut Rng::seed_from_u64(5))).add(Tanh);
    check("Checkpoint", Checkpoint::new(chain()), |layer| layer.call(&rows, &mut eval()));
    let two = Sequential::new().add(chain()).add(Checkpoint::new(Linear::new(4, 2, rng)));
    check("Sequential", two, |layer| layer.call(&rows, &mut eval()));
}
