//! Every operation, its gradient and its gradient's gradient, against PyTorch: see `generate/common.py`.
//!
//! Each case runs in `f64` and in `f32`, with its inputs (and the gradient that flows in) lying in memory in several ways,
//! through the fused backward pass and through the one that is differentiated again.

mod calls;

use calls::call;
use chainrule_tensor::{CreateGraph, Real, Tensor, grad, no_grad, ops};
use chainrule_tests::compare::{Tolerance, direction};
use chainrule_tests::fixture::{self, Array, Case};
use std::collections::BTreeSet;

fn cases() -> Vec<Case> {
    fixture::files("ops").iter().flat_map(|path| fixture::read(path)).collect()
}

/// How a tensor lies in memory.
#[derive(Clone, Copy, Debug)]
enum Layout {
    RowMajor,
    /// The first dimension is the fastest.
    ColumnMajor,
    /// Every second element of every second row (or what the last two dimensions are called), the rest NaN.
    Sparse,
}

impl Layout {
    const ALL: [Layout; 3] = [Layout::RowMajor, Layout::ColumnMajor, Layout::Sparse];

    fn apply<T: Real>(self, x: &Tensor<T>) -> Tensor<T> {
        match self {
            _ if x.numel() == 0 => x.clone(),
            Layout::RowMajor => x.clone(),
            Layout::ColumnMajor => {
                let reversed: Vec<usize> = (0..x.rank()).rev().collect();
                let turned = x.permute(&reversed);
                Tensor::from_vec(turned.to_vec(), turned.shape()).permute(&reversed)
            }
            Layout::Sparse => (x.rank().saturating_sub(2)..x.rank()).fold(x.clone(), |x, dim| {
                let hole = Tensor::full(x.shape(), T::NAN);
                let spaced = Tensor::stack(&[&hole, &x], dim as isize + 1);
                let mut shape = x.shape().to_vec();
                shape[dim] *= 2;
                let end = shape[dim];
                spaced.reshape(shape).slice(dim, 1, end, 2)
            }),
        }
    }
}

fn tolerance<T: Real>() -> Tolerance {
    Tolerance::of::<T>([1e-9, 1e-13], [1e-5, 2e-6])
}

/// Runs a case with its inputs and the incoming gradient in given layouts.
fn check<T: Real>(case: &Case, layout: Layout, seed_layout: Layout) -> Result<(), String> {
    let tolerance = tolerance::<T>();
    let compare = |what: &str, ours: &Tensor<T>, name: &str, shape: &[usize]| {
        tolerance.compare(ours, &case.result(name, shape)).map_err(|message| format!("{what}: {message}"))
    };
    let x: Vec<Tensor<T>> = case.inputs.iter().map(|x| layout.apply(&x.tensor::<T>()).requires_grad()).collect();
    let wrt: Vec<&Tensor<T>> = x.iter().collect();

    let (y, others) = no_grad(|| call(&case.op, &case.params, &x));
    compare("untracked value", &y, "y", &case.output)?;
    if others.len() != case.others.len() {
        return Err(format!("{} further results, PyTorch has {}", others.len(), case.others.len()));
    }
    for (i, (other, shape)) in others.iter().zip(&case.others).enumerate() {
        compare("further result", other, &format!("y{}", i + 1), shape)?;
    }
    let (y, _) = call(&case.op, &case.params, &x);
    compare("value", &y, "y", &case.output)?;

    let seed = seed_layout.apply(&direction(&case.output, 0)).requires_grad();
    let fused = (y * seed.detach()).sum().backward();
    for (i, x) in x.iter().enumerate() {
        let zeros = Tensor::zeros_like(x);
        compare(&format!("gradient {i}"), fused.get(x).unwrap_or(&zeros), &format!("g{i}"), x.shape())?;
    }

    let (y, _) = call(&case.op, &case.params, &x);
    let first = grad(&(y * &seed).sum(), &wrt, CreateGraph);
    for (i, (g, x)) in first.iter().zip(&x).enumerate() {
        compare(&format!("tracked gradient {i}"), g, &format!("g{i}"), x.shape())?;
    }
    let contracted = first.iter().enumerate().map(|(i, g)| (g * direction(g.shape(), i + 1)).sum());
    let contracted = contracted.reduce(|a, b| a + b).expect("an operation has an input");
    let second = if contracted.is_tracked() { contracted.backward() } else { Default::default() };
    for (i, x) in x.iter().enumerate() {
        let zeros = Tensor::zeros_like(x);
        compare(&format!("second derivative {i}"), second.get(x).unwrap_or(&zeros), &format!("h{i}"), x.shape())?;
    }
    let zeros = Tensor::zeros_like(&seed);
    compare("derivative by the seed", second.get(&seed).unwrap_or(&zeros), "hd", &case.output)
}

/// Runs all cases in all layouts and reports every failure at once.
fn check_all<T: Real>() {
    let mut failures = Vec::new();
    let cases = cases();
    for case in &cases {
        for layout in Layout::ALL {
            for seed_layout in Layout::ALL {
                if let Err(message) = check::<T>(case, layout, seed_layout) {
                    let Case { name, params, .. } = case;
                    let shapes: Vec<_> = case.inputs.iter().map(|x| &x.shape).collect();
                    failures.push(format!(
                        "{name} {shapes:?} {params:?}, inputs {layout:?}, seed {seed_layout:?}: {message}"
                    ));
                }
            }
        }
    }
    let count = failures.len();
    assert!(failures.is_empty(), "{count} disagreements with PyTorch in {}:\n{}", T::NAME, failures.join("\n"));
}

#[test]
fn double_precision_agrees() {
    check_all::<f64>();
}

#[test]
fn single_precision_agrees() {
    check_all::<f32>();
}

#[test]
fn every_operation_has_a_fixture() {
    let known: BTreeSet<String> = cases().into_iter().map(|case| case.op).collect();
    let missing: Vec<&str> = ops::ALL.iter().map(|op| op.name).filter(|name| !known.contains(*name)).collect();
    assert!(missing.is_empty(), "no fixture for {missing:?}: add cases to a script in tests/generate and run it");
}

#[test]
fn a_wrong_number_is_noticed() {
    let theirs = Array { shape: vec![2], values: vec![1.0, f64::NAN] };
    let compare = |ours: [f64; 2]| tolerance::<f64>().compare(&Tensor::from(ours), &theirs);
    assert!(compare([1.0 + 1e-12, f64::NAN]).is_ok());
    assert!(compare([1.0 + 1e-8, f64::NAN]).unwrap_err().contains("element 0"));
    assert!(compare([1.0, 0.0]).is_err());
    assert!(compare([f64::NAN, f64::NAN]).is_err());
    for infinity in [f64::INFINITY, f64::NEG_INFINITY] {
        let theirs = Array { shape: vec![1], values: vec![infinity] };
        let compare = |ours: f64| tolerance::<f64>().compare(&Tensor::from([ours]), &theirs);
        assert!(compare(infinity).is_ok());
        assert!([-infinity, 0.0, f64::MAX.copysign(infinity), f64::NAN].into_iter().all(|ours| compare(ours).is_err()));
    }
}
