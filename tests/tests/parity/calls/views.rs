//! Operations that move elements.

use super::Results;
use chainrule_tensor::{Real, Tensor};
use chainrule_tests::fixture::Params;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    let all: Vec<&Tensor<T>> = x.iter().collect();
    let y = match op {
        "broadcast_to" => x[0].broadcast_to(p.get::<Vec<usize>>("shape")),
        "cat" => Tensor::cat(&all, p.get::<isize>("dim")),
        "flatten" => x[0].flatten(p.get::<usize>("start")),
        "permute" => x[0].permute(p.get::<Vec<isize>>("dims")),
        "reshape" => x[0].reshape(p.get::<Vec<isize>>("shape")),
        "select" => x[0].select(p.get::<isize>("dim"), p.get::<usize>("index")),
        "slice" => {
            x[0].slice(p.get::<isize>("dim"), p.get::<usize>("start"), p.get::<usize>("end"), p.get::<usize>("step"))
        }
        "stack" => Tensor::stack(&all, p.get::<isize>("dim")),
        _ => return None,
    };
    Some((y, Vec::new()))
}
