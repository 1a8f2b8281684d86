//! From the name of an operation and its parameters to the call.

use chainrule_tensor::ops::{AvgPoolOptions, Conv2dOptions, PoolOptions};
use chainrule_tensor::{Real, Rng, Tensor};
use chainrule_tests::fixture::Params;

/// The value of an operation, and the untracked results it may have besides.
///
/// # Panics
/// If the operation is unknown.
pub(crate) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> (Tensor<T>, Vec<Tensor<T>>) {
    let dims = |name| p.get::<Vec<isize>>(name);
    let dim = || p.get::<isize>("dim");
    let index = |name| p.get::<usize>(name);
    let all: Vec<&Tensor<T>> = x.iter().collect();
    let y = match op {
        "abs" => x[0].abs(),
        "add" => &x[0] + &x[1],
        "avg_pool2d" => x[0].avg_pool2d(AvgPoolOptions {
            kernel: p.get("kernel"),
            stride: p.get("stride"),
            padding: p.get("padding"),
            ceil_mode: p.get("ceil_mode"),
            count_include_pad: p.get("count_include_pad"),
        }),
        "batch_norm" => {
            let affine: String = p.get("affine");
            let parameter = |name| affine.find(name).map(|i| &x[1 + i]);
            let (y, mean, var) = x[0].batch_norm(parameter('w'), parameter('b'), p.get("eps"));
            return (y, vec![mean, var]);
        }
        "bce_with_logits" => x[0].bce_with_logits(&x[1]),
        "broadcast_to" => x[0].broadcast_to(p.get::<Vec<usize>>("shape")),
        "cat" => Tensor::cat(&all, dim()),
        "conv2d" => {
            let (stride, padding) = (p.get("stride"), p.get("padding"));
            let options = Conv2dOptions { stride, padding, dilation: p.get("dilation"), groups: p.get("groups") };
            x[0].conv2d(&x[1], x.get(2), options)
        }
        "cross_entropy" => x[0].cross_entropy(&p.get::<Vec<usize>>("labels")),
        "div" => &x[0] / &x[1],
        "dropout" => x[0].dropout(p.get("p"), &mut Rng::seed_from_u64(1)),
        "erf" => x[0].erf(),
        "exp" => x[0].exp(),
        "flatten" => x[0].flatten(index("start")),
        "gelu" => x[0].gelu(),
        "half_mse_loss" => x[0].half_mse_loss(&x[1]),
        "linear" => x[0].linear(&x[1], x.get(2)),
        "log" => x[0].log(),
        "log_softmax" => x[0].log_softmax(dim()),
        "matmul" => x[0].matmul(&x[1]),
        "max_pool2d" => x[0].max_pool2d(PoolOptions {
            kernel: p.get("kernel"),
            stride: p.get("stride"),
            padding: p.get("padding"),
            dilation: p.get("dilation"),
            ceil_mode: p.get("ceil_mode"),
        }),
        "mean" => x[0].mean_dim(dims("dims"), p.get("keepdim")),
        "mse_loss" => x[0].mse_loss(&x[1]),
        "mul" => &x[0] * &x[1],
        "neg" => -&x[0],
        "permute" => x[0].permute(dims("dims")),
        "powf" => x[0].powf(p.get("p")),
        "relu" => x[0].relu(),
        "reshape" => x[0].reshape(dims("shape")),
        "select" => x[0].select(dim(), index("index")),
        "sigmoid" => x[0].sigmoid(),
        "slice" => x[0].slice(dim(), index("start"), index("end"), index("step")),
        "softmax" => x[0].softmax(dim()),
        "sqrt" => x[0].sqrt(),
        "stack" => Tensor::stack(&all, dim()),
        "sub" => &x[0] - &x[1],
        "sum" => x[0].sum_dim(dims("dims"), p.get("keepdim")),
        "tanh" => x[0].tanh(),
        _ => {
            panic!("the fixture has an operation {op} that the test cannot call: add it to tests/tests/parity/calls.rs")
        }
    };
    (y, Vec::new())
}
