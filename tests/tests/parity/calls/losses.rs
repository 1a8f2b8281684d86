//! Losses.

use super::Results;
use chainrule_tensor::ops::{
    BceLoss, BceWithLogitsLoss, CosineEmbeddingLoss, CrossEntropyLoss, CtcLoss, GaussianNllLoss, HingeEmbeddingLoss,
    HuberLoss, KlDivLoss, L1Loss, MarginRankingLoss, MseLoss, NllLoss, PoissonNllLoss, Reduction, SmoothL1Loss,
    TripletMarginLoss,
};
use chainrule_tensor::{Real, Shape, Tensor};
use chainrule_tests::fixture::Params;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    let reduction = reduction(p);
    let number = |name| p.get::<f64>(name);
    // Targets that are no inputs, in the shape of the first input, or of its vectors.
    let target = |shape: &[usize]| {
        let target =
            p.has("target").then(|| p.get::<Vec<f64>>("target").into_iter().map(T::from_f64).collect::<Vec<_>>());
        target.map_or_else(|| x[1].clone(), |values| Tensor::from_vec(values, shape))
    };
    let y = match op {
        "bce_loss" => {
            let weight = p.has("weights").then(|| x[2].detach());
            BceLoss { weight, reduction }.forward(&x[0], &x[1])
        }
        "bce_with_logits" if !p.has("reduction") => x[0].bce_with_logits(&x[1]),
        "bce_with_logits" => {
            let weights: String = if p.has("weights") { p.get("weights") } else { String::new() };
            let weight = |name| weights.contains(name).then(|| x[2].detach());
            BceWithLogitsLoss { weight: weight('w'), pos_weight: weight('p'), reduction }.forward(&x[0], &x[1])
        }
        "cosine_embedding_loss" => {
            let samples: Shape = x[0].shape()[..x[0].rank() - 1].into();
            CosineEmbeddingLoss { margin: number("margin"), reduction }.forward(&x[0], &x[1], &target(&samples))
        }
        "cosine_similarity" => x[0].cosine_similarity(&x[1], p.get::<isize>("dim"), number("eps")),
        "cross_entropy" if !p.has("reduction") => x[0].cross_entropy(&p.get::<Vec<usize>>("labels")),
        "cross_entropy" | "nll_loss" => classes(op, p, x, reduction),
        "ctc_loss" => {
            let (targets, lengths) = (p.get::<Vec<Vec<usize>>>("targets"), p.get::<Vec<usize>>("lengths"));
            let loss = CtcLoss { blank: p.get("blank"), reduction, ..Default::default() };
            loss.forward(&x[0].log_softmax(2), &targets, &lengths)
        }
        "gaussian_nll_loss" => {
            let eps = if p.has("eps") { number("eps") } else { GaussianNllLoss::default().eps };
            GaussianNllLoss { full: p.get("full"), eps, reduction }.forward(&x[0], &x[1], &x[2])
        }
        "half_mse_loss" => x[0].half_mse_loss(&x[1]),
        "hinge_embedding_loss" => {
            HingeEmbeddingLoss { margin: number("margin"), reduction }.forward(&x[0], &target(x[0].shape()))
        }
        "huber_loss" => HuberLoss { delta: number("delta"), reduction }.forward(&x[0], &x[1]),
        "kl_div" => {
            let batch_mean = p.get::<String>("reduction") == "batchmean";
            let loss = KlDivLoss { log_target: p.get("log_target"), batch_mean, reduction };
            loss.forward(&x[0], &target(x[0].shape()))
        }
        "l1_loss" => L1Loss { reduction }.forward(&x[0], &x[1]),
        "margin_ranking_loss" => {
            MarginRankingLoss { margin: number("margin"), reduction }.forward(&x[0], &x[1], &target(x[0].shape()))
        }
        "mse_loss" => MseLoss { reduction }.forward(&x[0], &x[1]),
        "pairwise_distance" => x[0].pairwise_distance(&x[1], number("p"), 1e-6),
        "poisson_nll_loss" => {
            let loss =
                PoissonNllLoss { log_input: p.get("log_input"), full: p.get("full"), reduction, ..Default::default() };
            loss.forward(&x[0], &target(x[0].shape()))
        }
        "smooth_l1_loss" => SmoothL1Loss { beta: number("beta"), reduction }.forward(&x[0], &x[1]),
        "triplet_margin_loss" => {
            let (margin, swap) = (number("margin"), p.get("swap"));
            let loss = TripletMarginLoss { margin, p: number("p"), swap, reduction, ..Default::default() };
            loss.forward(&x[0], &x[1], &x[2])
        }
        _ => return None,
    };
    Some((y, Vec::new()))
}

fn reduction(p: &Params) -> Reduction {
    if !p.has("reduction") {
        return Reduction::default();
    }
    match p.get::<String>("reduction").as_str() {
        "mean" | "batchmean" => Reduction::Mean,
        "sum" => Reduction::Sum,
        "none" => Reduction::None,
        other => panic!("unknown reduction {other}"),
    }
}

/// Losses of classes: against labels, or against the second input.
fn classes<T: Real>(op: &str, p: &Params, x: &[Tensor<T>], reduction: Reduction) -> Tensor<T> {
    let weight = p.get::<Option<Vec<f64>>>("weight");
    let weight = weight.map(|values| Tensor::from(values.into_iter().map(T::from_f64).collect::<Vec<_>>()));
    let label_smoothing = p.get("smoothing");
    if !p.has("labels") {
        return CrossEntropyLoss { weight, ignore_index: None, label_smoothing, reduction }.forward(&x[0], &x[1]);
    }
    let (labels, ignore_index) = (p.get::<Vec<usize>>("labels"), p.get("ignore"));
    match op {
        "nll_loss" => NllLoss { weight, ignore_index, reduction }.forward(&x[0], &labels),
        _ => CrossEntropyLoss { weight, ignore_index, label_smoothing, reduction }.forward(&x[0], &labels),
    }
}
