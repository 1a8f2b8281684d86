//! Weight and spectral normalization around a layer, and the bilinear layer, whose two inputs make it no link of a chain.

use crate::passes::{derivatives, load};
use chainrule_layers::{
    Bilinear, Conv2d, Entry, Layer, Linear, Mode, Module, Path, SpectralNorm, WeightNorm, Weighted,
};
use chainrule_tensor::{Real, Rng, Tensor};
use chainrule_tests::record::{Record, Results};

pub(crate) fn bilinear<T: Real>(record: &Record) -> Results<T> {
    let size = |name: &str| record.params.get::<usize>(name);
    let bias = record.params.get("bias");
    let mut layer: Bilinear<T> = Bilinear::new(size("in1"), size("in2"), size("out"), bias, &mut Rng::seed_from_u64(1));
    load(record, &mut layer);
    derivatives(record, &layer, |x| vec![layer.forward(&x[0], &x[1])])
}

/// A layer of the kind and sizes that the record names.
fn linear<T: Real>(record: &Record) -> Linear<T> {
    let [inputs, outputs] = record.params.get::<[usize; 2]>("sizes");
    Linear::new(inputs, outputs, &mut Rng::seed_from_u64(1))
}

fn conv<T: Real>(record: &Record) -> Conv2d<T> {
    let [inputs, outputs] = record.params.get::<[usize; 2]>("sizes");
    Conv2d::new(inputs, outputs, 3, &mut Rng::seed_from_u64(1))
}

pub(crate) fn weight_norm<T: Real>(record: &Record) -> Results<T> {
    fn run<T: Real>(record: &Record, layer: impl Weighted<T>) -> Results<T> {
        let mut layer = WeightNorm::along(layer, record.params.get("dim"));
        load(record, &mut layer);
        derivatives(record, &layer, |x| vec![layer.call(&x[0], &mut Mode::Eval)])
    }
    match record.params.get::<String>("layer").as_str() {
        "Linear" => run(record, linear(record)),
        _ => run(record, conv(record)),
    }
}

pub(crate) fn spectral_norm<T: Real>(record: &Record) -> Results<T> {
    fn run<T: Real>(record: &Record, layer: impl Weighted<T>) -> Results<T> {
        let mut layer = SpectralNorm::new(layer, &mut Rng::seed_from_u64(1));
        layer.iterations = record.params.get("iterations");
        load(record, &mut layer);
        let (state, train) = (record.state::<T>(), record.params.get("train"));
        derivatives(record, &layer, |x: &[Tensor<T>]| {
            // Training goes on from where the last pass came to: each begins anew.
            layer.visit(&Path::ROOT, &mut |path, entry| {
                if let Entry::Buffer(buffer) = entry {
                    buffer.set(state.get(&path.to_string()).expect("a value for every buffer"));
                }
            });
            let mut rng = Rng::seed_from_u64(1);
            let mut mode = if train { Mode::Train(&mut rng) } else { Mode::Eval };
            vec![layer.call(&x[0], &mut mode)]
        })
    }
    match record.params.get::<String>("layer").as_str() {
        "Linear" => run(record, linear(record)),
        _ => run(record, conv(record)),
    }
}
