//! Element-wise operations.

use super::Results;
use chainrule_tensor::{Mask, Real, Tensor};
use chainrule_tests::fixture::Params;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    let y = match op {
        "abs" => x[0].abs(),
        "add" => &x[0] + &x[1],
        "div" => &x[0] / &x[1],
        "erf" => x[0].erf(),
        "exp" => x[0].exp(),
        "gelu" => x[0].gelu(),
        "log" => x[0].log(),
        "mul" => &x[0] * &x[1],
        "neg" => -&x[0],
        "powf" => x[0].powf(p.get("p")),
        "relu" => x[0].relu(),
        "sigmoid" => x[0].sigmoid(),
        "sqrt" => x[0].sqrt(),
        "sub" => &x[0] - &x[1],
        "tanh" => x[0].tanh(),
        "where" => {
            let mask = Mask::from_vec(p.get::<Vec<bool>>("mask"), p.get::<Vec<usize>>("shape"));
            Tensor::where_(&mask, &x[0], &x[1])
        }
        _ => return None,
    };
    Some((y, Vec::new()))
}
