//! Connectionist temporal classification: the likelihood of label sequences without known places in time.
//!
//! | | |
//! |---|---|
//! | equation | `y = -ln sum over the paths of l of product over t of p_t[path_t]`: a path is `l` with repetitions and blanks. The mean divides each by its number of labels; or the sum, or each |
//! | derivative | `x_t'[c] = -y'` times the probability that the path of `l` is at `c` at step `t` |
//! | shapes | `x [time, n, classes]`, logarithms of probabilities; a sequence of labels and a length for each of `n`. `y` has no dimension, or `[n]` if not reduced |
//! | saved | `x` and the labels |
//! | source | A. Graves et al., "Connectionist temporal classification", ICML (2006) |
//!
//! The gradient is that with respect to `x` itself. (PyTorch adds `exp(x)` to it, which is the same once it has gone through
//! `log_softmax`, where `x` ought to come from.) A pass that is differentiated again composes the recursion of plain operations.

use super::reduction::Reduction;
use crate::{CreateGraph, Inputs, Op, OpInfo, Tensor, grad};
use chainrule_kernels::ctc::{Ctc, ctc, ctc_backward};
use chainrule_kernels::{Buffer, Real};

pub(super) static INFO: OpInfo = OpInfo {
    name: "ctc_loss",
    equation: "y = -ln sum over the paths of the labels of the product of p_t[path_t]",
    derivative: "x_t'[c] = -y' times the probability that the path is at c",
    torch: "torch.nn.functional.ctc_loss",
};

/// The loss of connectionist temporal classification, with options.
///
/// ```
/// use chainrule_tensor::{Tensor, ops::CtcLoss};
///
/// // Four steps, two sequences, three classes, the first of which is the blank.
/// let log_probs = Tensor::<f32>::zeros([4, 2, 3]).log_softmax(-1);
/// let loss = CtcLoss::default().forward(&log_probs, &[vec![1, 2], vec![1]], &[4, 3]);
/// assert!(loss.item() > 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CtcLoss {
    /// The class of no label. 0 by default.
    pub blank: usize,
    /// Whether sequences whose labels do not fit into their length count as 0, with no gradient, instead of infinity. Not by
    /// default.
    pub zero_infinity: bool,
    /// Mean, sum or each.
    pub reduction: Reduction,
}

#[derive(Debug)]
struct Rule<T: Real> {
    x: Tensor<T>,
    /// Each loss, before infinities become 0.
    losses: Tensor<T>,
    targets: Vec<Vec<usize>>,
    lengths: Vec<usize>,
    loss: CtcLoss,
}

impl<T: Real> Op<T> for Rule<T> {
    fn backward(&self, grad_y: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let Rule { x, losses, targets, lengths, loss } = self;
        let mut each = loss.reduction.each(grad_y, targets.len());
        if loss.reduction == Reduction::Mean {
            each = each / divisors(targets);
        }
        let each = each.broadcast_to(losses.shape());
        if inputs.is_tracked() {
            let infinite = |n: usize| losses.as_view().data()[n] == T::INFINITY;
            let counts = |n: &usize| !loss.zero_infinity || !infinite(*n);
            let parts = (0..targets.len()).filter(counts).map(|n| {
                let steps = x.select(1, n).narrow(0, 0, lengths[n]);
                let part = each.select(0, n) * composed(&steps, &targets[n], loss.blank);
                // The composed recursion is finite where the loss is not; the gradient is NaN, as in an untracked pass.
                if infinite(n) { part * T::NAN } else { part }
            });
            let total = parts.reduce(|a, b| a + b);
            inputs.add(0, || match total {
                Some(total) if total.is_tracked() => grad(&total, &[x], CreateGraph).remove(0),
                _ => Tensor::zeros_like(x),
            });
        } else {
            inputs.add(0, || {
                let shape = shape_of(x, loss.blank);
                let targets: Vec<&[usize]> = targets.iter().map(Vec::as_slice).collect();
                let sequences = Tensor::build([shape.batch, shape.steps, shape.classes].into(), |out| {
                    ctc_backward(&x.to_slice(), shape, &targets, lengths, out);
                });
                let slope = sequences * each.reshape([shape.batch, 1, 1]);
                let infinite = losses.eq(Tensor::scalar(T::INFINITY)).reshape([shape.batch, 1, 1]);
                let kept =
                    if loss.zero_infinity { Tensor::where_(&infinite, Tensor::scalar(T::ZERO), slope) } else { slope };
                kept.permute([1, 0, 2])
            });
        }
    }
}

fn shape_of<T: Real>(x: &Tensor<T>, blank: usize) -> Ctc {
    Ctc { steps: x.shape()[0], batch: x.shape()[1], classes: x.shape()[2], blank }
}

/// What a mean divides each loss by: the number of its labels.
fn divisors<T: Real>(targets: &[Vec<usize>]) -> Tensor<T> {
    Tensor::from(targets.iter().map(|target| T::from_usize(target.len().max(1))).collect::<Vec<T>>())
}

/// The loss of one sequence `[steps, classes]`, of plain operations: see `chainrule_kernels::ctc` for the recursion.
fn composed<T: Real>(x: &Tensor<T>, target: &[usize], blank: usize) -> Tensor<T> {
    let (steps, states) = (x.shape()[0], 2 * target.len() + 1);
    if steps == 0 {
        return Tensor::scalar(if target.is_empty() { T::ZERO } else { T::INFINITY });
    }
    // A logarithm that counts as that of 0, and stays finite: differences of infinities would be NaN.
    let never = T::from_f64(-1e30);
    let label = |s: usize| if s.is_multiple_of(2) { blank } else { target[s / 2] };
    let p = x.index_select(1, (0..states).map(label).collect::<Vec<usize>>());
    let mask =
        |admitted: &dyn Fn(usize) -> bool| Tensor::from_fn(states, |s| if admitted(s) { T::ZERO } else { never });
    let skips = mask(&|s| s % 2 == 1 && s > 1 && label(s) != label(s - 2));
    let shifted = |a: &Tensor<T>, by: usize| {
        let by = by.min(states);
        Tensor::cat(&[&Tensor::full([by], never), &a.narrow(0, 0, states - by)], 0)
    };
    let mut a = p.select(0, 0) + mask(&|s| s < 2);
    for t in 1..steps {
        let ways = Tensor::stack(&[&a, &shifted(&a, 1), &(shifted(&a, 2) + &skips)], 0);
        a = p.select(0, t) + ways.logsumexp(0, false);
    }
    -(a + mask(&|s| s + 2 >= states)).logsumexp(0, false)
}

impl CtcLoss {
    /// The loss of the label sequences `targets`, the `n`-th under the first `input_lengths[n]` steps of the logarithms of
    /// probabilities `log_probs [time, n, classes]`.
    ///
    /// # Panics
    /// If `log_probs` does not have three dimensions, there is not one target and one length for each sequence, a length
    /// exceeds the number of steps, or a label is the blank or not below the number of classes.
    #[track_caller]
    pub fn forward<T: Real>(
        &self,
        log_probs: &Tensor<T>,
        targets: &[impl AsRef<[usize]>],
        input_lengths: &[usize],
    ) -> Tensor<T> {
        assert!(
            log_probs.rank() == 3,
            "ctc_loss: logarithms of probabilities of shape {} must be [time, n, classes]",
            log_probs.shape()
        );
        let shape = shape_of(log_probs, self.blank);
        assert!(
            targets.len() == shape.batch && input_lengths.len() == shape.batch,
            "ctc_loss: an input of shape {} does not go with {} targets and {} lengths",
            log_probs.shape(),
            targets.len(),
            input_lengths.len()
        );
        assert!(self.blank < shape.classes, "ctc_loss: the blank {} is none of {} classes", self.blank, shape.classes);
        let slices: Vec<&[usize]> = targets.iter().map(AsRef::as_ref).collect();
        for (n, (target, &length)) in slices.iter().zip(input_lengths).enumerate() {
            assert!(length <= shape.steps, "ctc_loss: length {length} of sequence {n} exceeds {} steps", shape.steps);
            if let Some(label) = target.iter().find(|&&label| label >= shape.classes || label == self.blank) {
                panic!("ctc_loss: label {label} of sequence {n} is the blank or none of {} classes", shape.classes);
            }
        }
        let mut buffer = Buffer::unspecified(shape.batch);
        ctc(&log_probs.to_slice(), shape, &slices, input_lengths, &mut buffer);
        let losses = Tensor::from_buffer(buffer, shape.batch.into());
        let targets: Vec<Vec<usize>> = slices.iter().map(|target| target.to_vec()).collect();
        let mut each = losses.clone();
        if self.zero_infinity {
            each = Tensor::where_(&each.eq(Tensor::scalar(T::INFINITY)), Tensor::scalar(T::ZERO), each);
        }
        if self.reduction == Reduction::Mean {
            each = each / divisors(&targets);
        }
        Tensor::from_op(&INFO, self.reduction.value(each), &[log_probs], || Rule {
            x: log_probs.clone(),
            losses,
            targets,
            lengths: input_lengths.to_vec(),
            loss: *self,
        })
    }
}

impl<T: Real> Tensor<T> {
    /// The mean loss of the label sequences under these logarithms of probabilities `[time, n, classes]`, with blank 0.
    /// [`CtcLoss`] has the options.
    ///
    /// # Panics
    /// As [`CtcLoss::forward`].
    #[track_caller]
    pub fn ctc_loss(&self, targets: &[impl AsRef<[usize]>], input_lengths: &[usize]) -> Self {
        CtcLoss::default().forward(self, targets, input_lengths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        // Two steps, labels "1": the paths 11, 01 and 10 of probabilities 1/4, 1/4, 1/4.
        let x = Tensor::full([2, 1, 2], 0.5f64.ln());
        assert!((x.ctc_loss(&[[1]], &[2]).item() - (4.0f64 / 3.0).ln()).abs() < 1e-15);
        // Two equal labels do not fit into two steps.
        let impossible = CtcLoss { reduction: Reduction::None, ..Default::default() };
        assert_eq!(impossible.forward(&x, &[[1, 1]], &[2]).to_vec(), [f64::INFINITY]);
        let leaf = x.requires_grad();
        let gradient = grad(&impossible.forward(&leaf, &[[1, 1]], &[2]).sum(), &[&leaf], CreateGraph).remove(0);
        assert!(gradient.to_vec().iter().all(|g| g.is_nan()));
        let zeroed = CtcLoss { zero_infinity: true, ..Default::default() }.forward(&leaf, &[[1, 1]], &[2]);
        assert_eq!(zeroed.item(), 0.0);
        assert_eq!(zeroed.backward().get(&leaf).unwrap().to_vec(), [0.0; 4]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([5, 3, 4], -2.0, -0.2);
        let targets: [&[usize]; 3] = [&[1, 1], &[3, 2], &[]];
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            let loss = CtcLoss { reduction, ..Default::default() };
            check::gradients(|x| loss.forward(&x[0], &targets, &[5, 4, 3]), &[&x]);
        }
        let turned = check::random([4, 3, 5], -2.0, -0.2);
        let last = CtcLoss { blank: 3, ..Default::default() };
        check::gradients(|x| last.forward(&x[0].transpose(0, 2), &[&[1][..], &[0, 0], &[2]], &[3, 5, 1]), &[&turned]);
        let some = CtcLoss { zero_infinity: true, ..Default::default() };
        check::gradients(|x| some.forward(&x[0], &[&[1, 1][..], &[3], &[2]], &[2, 5, 0]), &[&x]);
    }

    #[test]
    #[should_panic(expected = "ctc_loss: label 0 of sequence 1 is the blank or none of 3 classes")]
    fn labels_must_be_classes() {
        let _ = Tensor::<f32>::zeros([4, 2, 3]).ctc_loss(&[[1], [0]], &[4, 4]);
    }

    #[test]
    #[should_panic(expected = "ctc_loss: an input of shape [4, 2, 3] does not go with 1 targets and 2 lengths")]
    fn every_sequence_has_a_target() {
        let _ = Tensor::<f32>::zeros([4, 2, 3]).ctc_loss(&[[1]], &[4, 4]);
    }
}
