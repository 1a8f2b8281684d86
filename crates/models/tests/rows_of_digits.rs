//! Digits read row by row, as sequences.

use chainrule_data::digits;
use chainrule_models::Classifier;
use chainrule_optim::Adam;
use chainrule_tensor::Rng;
use chainrule_train::{FitOptions, Silent, fit};

#[test]
fn recurrent_nets_learn_to_read_them() {
    for name in ["lstm", "gru"] {
        let mut rng = Rng::seed_from_u64(3);
        let (train, test) = digits().split(0.8, &mut rng);
        let mut classifier = Classifier::for_data(name, &train, "digits", 3, &mut rng).unwrap();
        let data = classifier.prepare(train).unwrap();
        let options = FitOptions { epochs: 6, batch: 32, anneal: true, clip: Some(1.0) };
        fit(&mut classifier.net, &mut Adam::new(4e-3), &data, options, &mut rng, &mut Silent).unwrap();
        let accuracy = classifier.evaluate(test).unwrap().confusion.accuracy();
        assert!(accuracy > 0.95, "{name}: {accuracy}");
    }
}
