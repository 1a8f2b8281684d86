//! Element-wise operations.

use super::Results;
use chainrule_tensor::{Mask, Real, Tensor};
use chainrule_tests::fixture::Params;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    let number = |name| p.get::<f64>(name);
    let bound = |name| p.get::<Option<f64>>(name);
    let y = match op {
        "abs" => x[0].abs(),
        "add" => &x[0] + &x[1],
        "ceil" => x[0].ceil(),
        "celu" => x[0].celu(number("alpha")),
        "clamp" => x[0].clamp(bound("min"), bound("max")),
        "cos" => x[0].cos(),
        "div" => &x[0] / &x[1],
        "elu" => x[0].elu(number("alpha")),
        "erf" => x[0].erf(),
        "exp" => x[0].exp(),
        "expm1" => x[0].expm1(),
        "floor" => x[0].floor(),
        "gelu" => x[0].gelu(),
        "gelu_tanh" => x[0].gelu_tanh(),
        "hardsigmoid" => x[0].hardsigmoid(),
        "hardswish" => x[0].hardswish(),
        "hardtanh" => x[0].hardtanh(number("min_val"), number("max_val")),
        "leaky_relu" => x[0].leaky_relu(number("negative_slope")),
        "log" => x[0].log(),
        "log1p" => x[0].log1p(),
        "logsigmoid" => x[0].logsigmoid(),
        "maximum" => x[0].maximum(&x[1]),
        "minimum" => x[0].minimum(&x[1]),
        "mish" => x[0].mish(),
        "mul" => &x[0] * &x[1],
        "neg" => -&x[0],
        "pow" => x[0].pow(&x[1]),
        "powf" => x[0].powf(p.get("p")),
        "prelu" => x[0].prelu(&x[1]),
        "reciprocal" => x[0].reciprocal(),
        "relu" => x[0].relu(),
        "relu6" => x[0].relu6(),
        "round" => x[0].round(),
        "rsqrt" => x[0].rsqrt(),
        "selu" => x[0].selu(),
        "sigmoid" => x[0].sigmoid(),
        "sign" => x[0].sign(),
        "silu" => x[0].silu(),
        "sin" => x[0].sin(),
        "softplus" => x[0].softplus(number("beta"), number("threshold")),
        "softsign" => x[0].softsign(),
        "sqrt" => x[0].sqrt(),
        "square" => x[0].square(),
        "sub" => &x[0] - &x[1],
        "tanh" => x[0].tanh(),
        "trunc" => x[0].trunc(),
        "where" => {
            let mask = Mask::from_vec(p.get::<Vec<bool>>("mask"), p.get::<Vec<usize>>("shape"));
            Tensor::where_(&mask, &x[0], &x[1])
        }
        _ => return None,
    };
    Some((y, Vec::new()))
}
