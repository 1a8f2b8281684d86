//! What the tests of operations share: gradient checks over memory layouts.

use crate::{CreateGraph, Rng, Shape, Tensor, grad, gradcheck, gradgradcheck};

/// A tensor of numbers drawn uniformly from `low..high`.
pub(crate) fn random(shape: impl Into<Shape>, low: f64, high: f64) -> Tensor<f64> {
    let shape = shape.into();
    let mut rng = Rng::seed_from_u64(shape.numel() as u64 + 7);
    Tensor::uniform(shape, low, high, &mut rng)
}

/// First and second derivatives, as is.
#[track_caller]
pub(crate) fn gradients(f: impl Fn(&[Tensor<f64>]) -> Tensor<f64>, inputs: &[&Tensor<f64>]) {
    gradcheck(&f, inputs).unwrap();
    gradgradcheck(&f, inputs).unwrap();
}

/// First and second derivatives of an element-wise function of one tensor: contiguous, transposed, sliced, broadcast, of
/// one element, without dimensions, empty.
#[track_caller]
pub(crate) fn unary(f: impl Fn(&Tensor<f64>) -> Tensor<f64>, low: f64, high: f64) {
    let x = random([3, 4], low, high);
    gradients(|x| f(&x[0]), &[&x]);
    gradients(|x| f(&x[0].t()), &[&x]);
    gradients(|x| f(&x[0].slice(1, 1, 4, 2)), &[&x]);
    gradients(|x| f(&x[0].broadcast_to([2, 3, 4])), &[&x]);
    for shape in [Shape::from([1]), [].into(), [2, 0].into()] {
        gradients(|x| f(&x[0]), &[&random(shape, low, high)]);
    }
    layouts_agree(&x, |x| f(x));
}

/// First and second derivatives of an element-wise function of two tensors: contiguous, transposed, broadcast, one
/// tensor twice, empty.
#[track_caller]
pub(crate) fn binary(f: impl Fn(&Tensor<f64>, &Tensor<f64>) -> Tensor<f64>, low: f64, high: f64) {
    let (a, b) = (random([3, 4], low, high), random([4, 3], low, high));
    gradients(|x| f(&x[0], &x[1].t()), &[&a, &b]);
    gradients(|x| f(&x[0], &x[1]), &[&a, &random([4], low, high)]);
    gradients(|x| f(&x[0], &x[1]), &[&random([2, 1, 3], low, high), &b]);
    gradients(|x| f(&x[0], &x[1]), &[&random([], low, high), &b]);
    gradients(|x| f(&x[0], &x[0]), &[&a]);
    gradients(|x| f(&x[0], &x[1]), &[&random([0, 3], low, high), &random([1, 3], low, high)]);
    layouts_agree(&a, |x| f(x, &b.t()));
}

/// The derivative in single precision (as it is computed with and without being recorded) keeps its digits far from 0, until it is
/// below 1e-30: its relative error is at most 1e-5. Between -3 and 3, where it may pass through 0, the error is at most 1e-6.
#[track_caller]
pub(crate) fn tails(f: impl Fn(&Tensor<f32>) -> Tensor<f32>, exact: impl Fn(&Tensor<f64>) -> Tensor<f64>) {
    let points: Vec<f32> = (-9000..=9000).map(|i| i as f32 * 0.01).collect();
    let wide: Vec<f64> = points.iter().map(|&x| f64::from(x)).collect();
    let wide = Tensor::from(wide).requires_grad();
    let wanted = exact(&wide).sum().backward().get(&wide).expect("tracked").to_vec();
    let x = Tensor::from(points.clone()).requires_grad();
    let y = f(&x).sum();
    for slopes in [grad(&y, &[&x], CreateGraph).remove(0), y.backward().get(&x).expect("tracked").clone()] {
        for ((&x, &want), got) in points.iter().zip(&wanted).zip(slopes.to_vec()) {
            let error = (f64::from(got) - want).abs();
            let close = error <= 1e-5 * want.abs() || (x.abs() < 3.0 && error <= 1e-6) || want.abs() < 1e-30;
            assert!(close, "the derivative at {x} is {want:e}, not {got:e}");
        }
    }
}

/// Derivatives of an activation in single precision are finite wherever its value is: the first, recorded or not, and the second.
#[track_caller]
pub(crate) fn finite(f: impl Fn(&Tensor<f32>) -> Tensor<f32>) {
    let points = [1e4f32, 1e10, 1e19, 1e30, 1e34].map(|x| [x, -x]).concat();
    let x = Tensor::from(points).requires_grad();
    let y = f(&x).sum();
    let first = grad(&y, &[&x], CreateGraph).remove(0);
    let second = first.is_tracked().then(|| first.sum().backward().get(&x).cloned()).flatten();
    let fused = y.backward().get(&x).cloned();
    for slopes in [Some(first), fused, second].into_iter().flatten() {
        assert!(slopes.to_vec().iter().all(|x| x.is_finite()), "{:?} at {:?}", slopes.to_vec(), x.to_vec());
    }
}

/// The value does not depend on how the input lies in memory.
#[track_caller]
pub(crate) fn layouts_agree(x: &Tensor<f64>, f: impl Fn(&Tensor<f64>) -> Tensor<f64>) {
    let strided = Tensor::from(x.t().to_array()).t();
    assert!(!strided.is_contiguous());
    assert_eq!(f(x).to_vec(), f(&strided).to_vec());
}
