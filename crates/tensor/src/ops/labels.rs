//! What the losses of classes share: labels that are checked, weighted and perhaps ignored.

use super::reduction::Reduction;
use crate::{Indices, Mask, Shape, Tensor};
use chainrule_kernels::{Buffer, Real};
use std::sync::Arc;

/// The options that speak of labels.
#[derive(Debug)]
pub(super) struct LabelOptions<'a, T: Real> {
    pub(super) op: &'static str,
    /// A factor for each class.
    pub(super) weight: Option<&'a Tensor<T>>,
    /// The label whose samples do not count.
    pub(super) ignore_index: Option<usize>,
    pub(super) reduction: Reduction,
}

/// Labels that fit, with what each sample's loss is multiplied by.
#[derive(Debug, Clone)]
pub(super) struct Labels<T: Real> {
    /// 0 where a sample is ignored.
    pub(super) index: Arc<[usize]>,
    /// The weight of each sample's class, 0 where it is ignored; `None` if all are 1.
    pub(super) factors: Option<Tensor<T>>,
    /// Which samples are ignored, if any.
    pub(super) ignored: Option<Mask>,
    /// What the sum of losses is divided by: the sum of the factors for a mean, 1 otherwise.
    pub(super) divisor: T,
}

/// The dimension of the classes: the second one, or the only one.
#[track_caller]
pub(super) fn class_dim(op: &str, shape: &Shape) -> usize {
    assert!(shape.rank() > 0, "{op}: an input without dimensions has no classes");
    usize::from(shape.rank() > 1)
}

/// The shape of the samples: without the classes.
pub(super) fn samples(shape: &Shape) -> Shape {
    let classes = usize::from(shape.rank() > 1);
    (0..shape.rank()).filter(|&d| d != classes).map(|d| shape[d]).collect()
}

/// The input as a matrix of samples (in row-major order) and classes.
#[track_caller]
pub(super) fn rows<T: Real>(x: &Tensor<T>) -> Tensor<T> {
    match x.rank() {
        1 => x.unsqueeze(0),
        2 => x.clone(),
        rank => {
            let order: Vec<usize> = (0..rank).filter(|&d| d != 1).chain([1]).collect();
            x.permute(order).reshape([samples(x.shape()).numel(), x.shape()[1]])
        }
    }
}

impl<T: Real> LabelOptions<'_, T> {
    /// Checks the labels of an input.
    #[track_caller]
    pub(super) fn check(&self, shape: &Shape, labels: &[usize]) -> Labels<T> {
        let op = self.op;
        let classes = shape[class_dim(op, shape)];
        let count = samples(shape).numel();
        assert!(
            labels.len() == count,
            "{op}: an input of shape {shape} does not go with {} labels: it has {count} samples of {classes} classes",
            labels.len()
        );
        self.check_weight(classes);
        let ignored = |label: usize| Some(label) == self.ignore_index;
        if let Some((row, label)) = labels.iter().enumerate().find(|(_, label)| **label >= classes && !ignored(**label))
        {
            panic!("{op}: label {label} of row {row} is not below {classes}, the number of classes");
        }
        let any_ignored = labels.iter().any(|&label| ignored(label));
        let factors = (self.weight.is_some() || any_ignored).then(|| {
            let weight = self.weight.map(Tensor::to_vec);
            let factor = |&label: &usize| match &weight {
                _ if ignored(label) => T::ZERO,
                Some(weight) => weight[label],
                None => T::ONE,
            };
            Tensor::from(labels.iter().map(factor).collect::<Vec<T>>())
        });
        let divisor = match (self.reduction, &factors) {
            (Reduction::Mean, Some(factors)) => crate::no_grad(|| factors.sum()).item(),
            (Reduction::Mean, None) => T::from_usize(count),
            _ => T::ONE,
        };
        let index = labels.iter().map(|&label| if ignored(label) { 0 } else { label }).collect();
        let ignored = any_ignored.then(|| Mask::from_fn(count, |i| ignored(labels[i])));
        Labels { index, factors, ignored, divisor }
    }

    /// Checks the weights of the classes.
    #[track_caller]
    pub(super) fn check_weight(&self, classes: usize) {
        if let Some(weight) = self.weight {
            let fits = weight.shape() == &[classes];
            assert!(fits, "{}: weights of shape {} do not go with {classes} classes", self.op, weight.shape());
        }
    }
}

impl<T: Real> Labels<T> {
    /// Where the labels stand in an input of some shape, along the dimension of its classes.
    pub(super) fn places(&self, shape: &Shape, dim: usize) -> Indices {
        Indices::new(self.index.clone(), super::sum::kept(shape, &[dim]))
    }

    /// [`reduce`](Self::reduce), untracked.
    pub(super) fn value(&self, mut losses: Buffer<T>, reduction: Reduction) -> Tensor<T> {
        if let Some(factors) = &self.factors {
            losses.iter_mut().zip(factors.to_slice().iter()).for_each(|(loss, &factor)| *loss *= factor);
        }
        if let Some(ignored) = &self.ignored {
            losses
                .iter_mut()
                .zip(ignored.bytes())
                .filter(|(_, skip)| **skip != 0)
                .for_each(|(loss, _)| *loss = T::ZERO);
        }
        let count = losses.len();
        let losses = Tensor::from_buffer(losses, count.into());
        match reduction {
            Reduction::Mean => Tensor::scalar(Reduction::Sum.value(losses).item() / self.divisor),
            other => other.value(losses),
        }
    }

    /// The losses of samples, weighted and reduced. What is ignored leaves no trace, whatever its loss.
    #[track_caller]
    pub(super) fn reduce(&self, losses: Tensor<T>, reduction: Reduction) -> Tensor<T> {
        let losses = match &self.factors {
            Some(factors) => losses * factors,
            None => losses,
        };
        let losses = match &self.ignored {
            Some(ignored) => Tensor::where_(ignored, Tensor::scalar(T::ZERO), losses),
            None => losses,
        };
        match reduction {
            Reduction::Mean => losses.sum() / self.divisor,
            Reduction::Sum => losses.sum(),
            Reduction::None => losses,
        }
    }
}
