//! Forecasters: what they learn, what they save, what they refuse.

use chainrule_data::{Series, mackey_glass};
use chainrule_models::{ForecastOptions, Forecaster, ModelError, Normalization, Saved, Season};
use chainrule_optim::Adam;
use chainrule_tensor::Rng;
use chainrule_train::{FitOptions, Silent, fit};

fn options(cell: &str) -> ForecastOptions {
    ForecastOptions {
        cell: cell.into(),
        window: 12,
        horizon: 2,
        held_out: 20,
        season: Season::Find,
        hidden: 8,
        layers: 1,
    }
}

/// A wave on a slope.
fn wave(len: usize) -> Series {
    let value = |t: usize| 100.0 + t as f64 + 20.0 * (std::f64::consts::TAU * t as f64 / 8.0).sin();
    Series::of_one("wave", (0..len).map(value).collect()).unwrap()
}

fn trained(series: &Series, options: &ForecastOptions) -> Forecaster {
    let mut rng = Rng::seed_from_u64(1);
    let (mut model, split) = Forecaster::for_series(series, options, "wave", 1, &mut rng).unwrap();
    let how = FitOptions { epochs: 60, batch: 16, anneal: true, clip: Some(1.0) };
    fit(&mut model.net, &mut Adam::new(0.02), &split.train, how, &mut rng, &mut Silent).unwrap();
    model
}

#[test]
fn every_cell_learns_a_wave_on_a_slope() {
    let series = wave(140);
    for cell in ["rnn", "lstm", "gru"] {
        let model = trained(&series, &options(cell));
        assert_eq!(model.config().net.normalization, Normalization::Window, "there is a trend");
        assert!((model.config().season.unwrap() - 8.0).abs() < 0.2);
        let errors = model.evaluate(&series, 20).unwrap();
        let seasonal = errors.seasonal_naive.unwrap().rmse;
        assert!((seasonal - 8.0).abs() < 1e-9, "the slope of eight steps");
        assert!(errors.model.rmse < 0.3 * seasonal.min(errors.naive.rmse), "{cell}: {errors:?}");

        // The forecast is in the series' units, beyond all that was seen.
        let next = model.forecast(&series).unwrap();
        let truth = wave(142).target().to_vec();
        assert_eq!(next.len(), 2);
        assert!(next.iter().zip(&truth[140..]).all(|(a, b)| (a - b).abs() < 5.0), "{cell}: {next:?}");
    }
}

#[test]
fn models_come_back_from_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let series = mackey_glass(150, 1);
    let model = trained(&series, &ForecastOptions { layers: 2, ..options("gru") });
    model.save(&path).unwrap();
    let Saved::Forecaster(copy) = Saved::load(&path).unwrap() else { panic!("a forecaster was saved") };
    assert_eq!(copy.config(), model.config());
    assert_eq!(copy.forecast(&series).unwrap(), model.forecast(&series).unwrap());
    let other = chainrule_models::Classifier::load(&path).unwrap_err().to_string();
    assert!(other.contains("is no saved model"), "{other}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let message = |result: Result<(Forecaster, _), ModelError>| result.err().expect("it does not fit").to_string();
    let make = |series: &Series, options: &ForecastOptions| {
        Forecaster::for_series(series, options, "x", 1, &mut Rng::seed_from_u64(1))
    };
    assert!(message(make(&wave(30), &options("lstm"))).contains("do not fit in the training part"));
    assert!(message(make(&wave(99), &options("lstn"))).contains("the models are rnn, lstm, gru"));
    let none = ForecastOptions { hidden: 0, ..options("lstm") };
    assert!(message(make(&wave(99), &none)).starts_with("forecaster: sizes that make no net"));

    let (model, _) = make(&wave(99), &options("lstm")).unwrap();
    let short = model.forecast(&wave(11)).unwrap_err().to_string();
    assert_eq!(short, "forecaster: it needs 12 steps, the series \"wave\" has 11");
    let other = Series::of_one("other", vec![1.0; 50]).unwrap();
    assert!(model.forecast(&other).unwrap_err().to_string().contains("takes the columns [\"wave\"], not [\"other\"]"));
    assert!(model.evaluate(&wave(99), 1).unwrap_err().to_string().contains("does not fit in the 1 held-out steps"));
}
