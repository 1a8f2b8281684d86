//! Operations along dimensions.

use super::Results;
use chainrule_tensor::{Indices, Real, Tensor};
use chainrule_tests::fixture::Params;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    let x = &x[0];
    let dims = || p.get::<Vec<isize>>("dims");
    let keepdim = || p.get::<bool>("keepdim");
    let y = match op {
        "amax" => x.amax(dims(), keepdim()),
        "amin" => x.amin(dims(), keepdim()),
        "log_softmax" => x.log_softmax(p.get::<isize>("dim")),
        "logsumexp" => x.logsumexp(dims(), keepdim()),
        "max" if !p.has("dim") => x.max(),
        "min" if !p.has("dim") => x.min(),
        "max" => return Some(with_indices(x.max_dim(p.get::<isize>("dim"), keepdim()))),
        "min" => return Some(with_indices(x.min_dim(p.get::<isize>("dim"), keepdim()))),
        "mean" => x.mean_dim(dims(), keepdim()),
        "norm" => x.norm_dim(p.get::<String>("p").parse().expect("a number"), dims(), keepdim()),
        "prod" => x.prod_dim(dims(), keepdim()),
        "softmax" => x.softmax(p.get::<isize>("dim")),
        "std" => x.std_dim(dims(), p.get("correction"), keepdim()),
        "sum" => x.sum_dim(dims(), keepdim()),
        "var" => x.var_dim(dims(), p.get("correction"), keepdim()),
        _ => return None,
    };
    Some((y, Vec::new()))
}

/// Values, and their indices as a further result.
fn with_indices<T: Real>((y, indices): (Tensor<T>, Indices)) -> Results<T> {
    let indices = Tensor::from_vec(indices.iter().map(|&i| T::from_usize(i)).collect::<Vec<_>>(), indices.shape());
    (y, vec![indices])
}
