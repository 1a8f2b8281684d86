//! Gradient clipping: bounds on the gradients between the backward pass and the step.
//!
//! ```text
//! by norm    g *= min(1, max_norm / (n + 1e-6)),   n = sqrt(sum over all gradients of g^2)
//! by value   g  = min(max(g, -limit), limit)
//! ```
//!
//! The norm is that of all gradients together, so that clipping keeps their direction. Formulas as in PyTorch's
//! `clip_grad_norm_` and `clip_grad_value_`; the norm is summed in `f64`.
//!
//! Source: R. Pascanu et al., "On the difficulty of training recurrent neural networks" (2013).

use crate::rows::Rows;
use chainrule_kernels::update;
use chainrule_tensor::{Gradients, Real, Tensor};

/// Scales all gradients down, in place, such that their common L2 norm is at most `max_norm`. Returns the norm they had.
///
/// If the norm is NaN all gradients become NaN; if it is infinite, finite ones become 0 and the others NaN.
///
/// # Panics
/// If `max_norm` is negative or NaN.
#[inline(never)]
#[track_caller]
pub fn clip_grad_norm<T: Real>(grads: &mut Gradients<T>, max_norm: f64) -> f64 {
    assert!(max_norm >= 0.0, "clip_grad_norm: max_norm must be at least 0, got {max_norm}");
    let rows: Vec<Rows<'_, T>> = grads.iter().map(Rows::of).collect();
    let slices: Vec<&[T]> = rows.iter().map(|rows| &**rows).collect();
    let norm = update::sum_of_squares(&slices).sqrt();
    if norm + 1e-6 > max_norm || norm.is_nan() {
        let mut slices: Vec<&mut [T]> = grads.iter_mut().map(values_mut).collect();
        update::scale(&mut slices, T::from_f64(max_norm / (norm + 1e-6)));
    }
    norm
}

/// Limits every element of every gradient, in place, to `[-limit, limit]`. NaN stays NaN.
///
/// # Panics
/// If `limit` is negative or NaN.
#[track_caller]
pub fn clip_grad_value<T: Real>(grads: &mut Gradients<T>, limit: f64) {
    assert!(limit >= 0.0, "clip_grad_value: limit must be at least 0, got {limit}");
    let mut slices: Vec<&mut [T]> = grads.iter_mut().map(values_mut).collect();
    update::clamp(&mut slices, T::from_f64(limit));
}

/// A gradient's values, to change them. A tracked one (of a backward pass that can itself be differentiated) leaves its
/// graph, as what becomes of it is no longer that graph's result.
pub(crate) fn values_mut<T: Real>(gradient: &mut Tensor<T>) -> &mut [T] {
    if gradient.is_tracked() {
        *gradient = gradient.detach();
    }
    gradient.make_mut()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule_layers::Param;
    use chainrule_tensor::CreateGraph;

    fn make<T: Real>(values: [Tensor<T>; 2]) -> (Vec<Param<T>>, Gradients<T>) {
        let params: Vec<Param<T>> = values.iter().map(|v| Param::new(Tensor::zeros_like(v))).collect();
        let mut grads = Gradients::default();
        params.iter().zip(values).for_each(|(p, v)| grads.insert(p, v));
        (params, grads)
    }

    fn values<T: Real>(params: &[Param<T>], grads: &Gradients<T>) -> Vec<T> {
        params.iter().flat_map(|p| grads.get(p).expect("has a gradient").to_vec()).collect()
    }

    #[test]
    fn norms_are_those_of_all_gradients_together() {
        let (params, mut grads) = make([Tensor::from([3.0f64, 0.0]), Tensor::from([0.0f64, -4.0])]);
        assert_eq!(clip_grad_norm(&mut grads, 5.1), 5.0);
        assert_eq!(values(&params, &grads), [3.0, 0.0, 0.0, -4.0]);
        assert_eq!(clip_grad_norm(&mut grads, 2.0), 5.0);
        let factor = 2.0 / (5.0 + 1e-6);
        assert_eq!(values(&params, &grads), [3.0 * factor, 0.0, 0.0, -4.0 * factor]);
    }

    #[test]
    fn large_models_too() {
        let (params, mut grads) = make([Tensor::full([300, 300], 0.5f32), Tensor::full([10_000], -0.5f32)]);
        let norm = clip_grad_norm(&mut grads, 1.0);
        assert!((norm - 100_000f64.sqrt() * 0.5).abs() < 1e-9);
        let wanted = 0.5 / norm as f32;
        assert!(values(&params, &grads).iter().all(|g| (g.abs() / wanted - 1.0).abs() < 1e-6));
        assert!((clip_grad_norm(&mut grads, f64::INFINITY) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn nan_and_infinity_are_not_hidden() {
        let (params, mut grads) = make([Tensor::from([1.0f32, f32::NAN]), Tensor::from([2.0f32])]);
        assert!(clip_grad_norm(&mut grads, 1.0).is_nan());
        assert!(values(&params, &grads).iter().all(|g| g.is_nan()));
        let (params, mut grads) = make([Tensor::from([1.0f32, f32::INFINITY]), Tensor::from([2.0f32])]);
        assert_eq!(clip_grad_norm(&mut grads, 1.0), f64::INFINITY);
        let clipped = values(&params, &grads);
        assert!(clipped[0] == 0.0 && clipped[1].is_nan() && clipped[2] == 0.0);
        assert_eq!(clip_grad_norm(&mut Gradients::<f32>::default(), 1.0), 0.0);
    }

    #[test]
    fn values_are_limited_on_both_sides() {
        let (params, mut grads) =
            make([Tensor::from([-3.0f32, -1.0, 0.5, 2.5]), Tensor::from([f32::NAN, f32::INFINITY])]);
        clip_grad_value(&mut grads, 1.0);
        let clipped = values(&params, &grads);
        assert_eq!(clipped[..4], [-1.0, -1.0, 0.5, 1.0]);
        assert!(clipped[4].is_nan() && clipped[5] == 1.0);
    }

    #[test]
    fn gradients_may_lie_anyhow_and_be_shared() {
        let transposed = || Tensor::from_fn([2, 3], |i| i as f64).transpose(0, 1);
        let broadcast = || Tensor::from([2.0f64]).broadcast_to([4]);
        let clips: [fn(&mut Gradients<f64>); 2] = [|g| _ = clip_grad_norm(g, 1.0), |g| clip_grad_value(g, 1.5)];
        for clip in clips {
            let shared = transposed();
            let (params, mut grads) = make([shared.clone(), broadcast()]);
            let pack = |t: Tensor<f64>| Tensor::from_vec(t.to_vec(), t.shape());
            let (packed_params, mut packed) = make([pack(transposed()), pack(broadcast())]);
            clip(&mut grads);
            clip(&mut packed);
            assert_eq!(values(&params, &grads), values(&packed_params, &packed));
            assert_eq!(shared.to_vec(), transposed().to_vec());
        }
    }

    #[test]
    fn tracked_gradients_leave_their_graph() {
        let p = Param::new(Tensor::from([3.0f64, -4.0]));
        let loss = (&*p * &*p * &*p).sum();
        let mut grads = loss.backward_with(None, CreateGraph);
        assert!(grads.get(&p).is_some_and(Tensor::is_tracked));
        clip_grad_value(&mut grads, 30.0);
        assert_eq!(grads.get(&p).map(Tensor::to_vec), Some(vec![27.0, 30.0]));
    }

    #[test]
    #[should_panic(expected = "clip_grad_norm: max_norm must be at least 0, got NaN")]
    fn a_norm_is_a_number() {
        clip_grad_norm(&mut Gradients::<f32>::default(), f64::NAN);
    }

    #[test]
    #[should_panic(expected = "clip_grad_value: limit must be at least 0, got -1")]
    fn a_limit_is_not_negative() {
        clip_grad_value(&mut Gradients::<f32>::default(), -1.0);
    }
}
