//! Operations on shapes of everyday use, and on some that are not.

use super::{Case, case, places};
use chainrule_tensor::ops::{AttentionOptions, Conv1dOptions, ConvTranspose2dOptions, Interpolation, PadMode};
use chainrule_tensor::{Indices, Mask, Rng, Tensor};

pub(super) fn cases() -> Vec<Case> {
    [functions(), pairs(), reductions(), shapes(), layers()].into_iter().flatten().collect()
}

fn functions() -> Vec<Case> {
    type Function = fn(&Tensor) -> Tensor;
    let functions: [(&str, Function); 22] = [
        ("x[0].relu()", Tensor::relu),
        ("x[0].exp()", Tensor::exp),
        ("x[0].abs().log()", |x| x.abs().log()),
        ("x[0].tanh()", Tensor::tanh),
        ("x[0].sigmoid()", Tensor::sigmoid),
        ("F.gelu(x[0])", Tensor::gelu),
        ("F.silu(x[0])", Tensor::silu),
        ("F.mish(x[0])", Tensor::mish),
        ("F.softplus(x[0])", |x| x.softplus(1.0, 20.0)),
        ("F.elu(x[0])", |x| x.elu(1.0)),
        ("F.leaky_relu(x[0])", |x| x.leaky_relu(0.01)),
        ("F.hardswish(x[0])", Tensor::hardswish),
        ("x[0].sin()", Tensor::sin),
        ("x[0].square()", Tensor::square),
        ("x[0].abs().sqrt()", |x| x.abs().sqrt()),
        ("x[0].abs() ** 1.5", |x| x.abs().powf(1.5)),
        ("x[0].reciprocal()", Tensor::reciprocal),
        ("x[0].clamp(-0.5, 0.5)", |x| x.clamp(-0.5, 0.5)),
        ("x[0] + 1", |x| x + 1.0),
        ("x[0] * x[0]", |x| x * x),
        ("x[0].erf()", Tensor::erf),
        ("-x[0]", |x| -x),
    ];
    let shapes: [&[usize]; 2] = [&[32, 32], &[1024, 1000]];
    let mut cases = Vec::new();
    for (torch, function) in functions {
        cases.extend(shapes.map(|shape| case(torch, "", &[shape], move |x| function(&x[0]))));
    }
    cases
}

fn pairs() -> Vec<Case> {
    let m: &[usize] = &[1024, 1000];
    vec![
        case("x[0] + x[1]", "", &[m, m], |x| &x[0] + &x[1]),
        case("x[0] + x[1]", "", &[m, &[1000]], |x| &x[0] + &x[1]),
        case("x[0] * x[1]", "", &[m, &[1024, 1]], |x| &x[0] * &x[1]),
        case("x[0] * x[1]", "", &[&[32, 64, 28, 28], &[1, 64, 1, 1]], |x| &x[0] * &x[1]),
        case("x[0] * x[1]", "", &[&[32, 32], &[32]], |x| &x[0] * &x[1]),
        case("x[0] / x[1]", "", &[m, m], |x| &x[0] / &x[1]),
        case("torch.maximum(x[0], x[1])", "", &[m, m], |x| x[0].maximum(&x[1])),
        case("x[0] + x[1]", "", &[&[1024, 1], &[1, 1000]], |x| &x[0] + &x[1]),
        case("torch.where(i, x[0], x[1])", "i = torch.ones(1024, 1000).tril() > 0", &[m, m], {
            let mask = Mask::from_vec((0..1024 * 1000).map(|i| i % 1000 <= i / 1000).collect::<Vec<_>>(), [1024, 1000]);
            move |x| Tensor::where_(&mask, &x[0], &x[1])
        }),
        case("F.mse_loss(x[0], x[1])", "", &[m, m], |x| x[0].mse_loss(&x[1])),
        case("x[0].t() + x[1]", "", &[&[1000, 1024], m], |x| x[0].t() + &x[1]),
        case("x[0] * x[1]", "", &[&[32, 512, 7, 7], &[512, 1, 1]], |x| &x[0] * &x[1]),
        case("x[0] * x[1]", "", &[&[200_000, 4], &[4]], |x| &x[0] * &x[1]),
        case("x[0] * x[1]", "", &[&[200_000, 4], &[200_000, 1]], |x| &x[0] * &x[1]),
        case("x[0] * x[1]", "", &[&[33_333, 31], &[33_333, 1]], |x| &x[0] * &x[1]),
        case("x[0] + x[1]", "", &[&[999, 1001], &[1001]], |x| &x[0] + &x[1]),
        case("x[0] - x[1]", "", &[&[100, 1, 99], &[1, 101, 99]], |x| &x[0] - &x[1]),
        case("x[0] - x[1]", "", &[&[100, 100, 1], &[100, 1, 99]], |x| &x[0] - &x[1]),
    ]
}

fn reductions() -> Vec<Case> {
    let mut cases = Vec::new();
    let shapes: [&[usize]; 3] = [&[32, 32], &[1024, 1000], &[16, 64, 56, 56]];
    for shape in shapes {
        let mut add = |torch, call: fn(&Tensor) -> Tensor| cases.push(case(torch, "", &[shape], move |x| call(&x[0])));
        add("x[0].sum()", |x| x.sum());
        add("x[0].sum(0)", |x| x.sum_dim(0, false));
        add("x[0].sum(1)", |x| x.sum_dim(1, false));
        add("x[0].sum(-1)", |x| x.sum_dim(-1, false));
        add("x[0].mean(-1)", |x| x.mean_dim(-1, false));
        add("x[0].var(-1)", |x| x.var_dim(-1, 1, false));
        add("x[0].var(0)", |x| x.var_dim(0, 1, false));
        add("x[0].max(-1)[0]", |x| x.max_dim(-1, false).0);
        add("x[0].max(0)[0]", |x| x.max_dim(0, false).0);
        add("x[0].amax(1)", |x| x.amax(1, false));
        add("x[0].norm(dim=-1)", |x| x.norm_dim(2.0, -1, false));
        add("x[0].logsumexp(-1)", |x| x.logsumexp(-1, false));
        add("x[0].logsumexp(0)", |x| x.logsumexp(0, false));
        add("x[0].softmax(-1)", |x| x.softmax(-1));
        add("x[0].softmax(1)", |x| x.softmax(1));
        add("x[0].softmax(0)", |x| x.softmax(0));
        add("x[0].log_softmax(-1)", |x| x.log_softmax(-1));
        add("x[0].cumsum(-1)", |x| x.cumsum(-1));
        add("x[0].cumsum(0)", |x| x.cumsum(0));
        add("x[0].sort(-1)[0]", |x| x.sort(-1, false).0);
        add("x[0].topk(5, -1)[0]", |x| x.topk(5, -1, true).0);
    }
    let images: &[usize] = &[16, 64, 56, 56];
    cases.push(case("x[0].sum((0, 2, 3))", "", &[images], |x| x[0].sum_dim([0, 2, 3], false)));
    cases.push(case("x[0].mean((2, 3))", "", &[images], |x| x[0].mean_dim([2, 3], false)));
    let narrow: [&[usize]; 3] = [&[250_000, 4], &[4, 250_000], &[999, 33, 31]];
    for shape in narrow {
        let mut add = |torch, call: fn(&Tensor) -> Tensor| cases.push(case(torch, "", &[shape], move |x| call(&x[0])));
        add("x[0].sum(0)", |x| x.sum_dim(0, false));
        add("x[0].sum(1)", |x| x.sum_dim(1, false));
        add("x[0].amax(0)", |x| x.amax(0, false));
        add("x[0].amax(-1)", |x| x.amax(-1, false));
        add("x[0].norm(dim=0)", |x| x.norm_dim(2.0, 0, false));
        add("x[0].norm(dim=-1)", |x| x.norm_dim(2.0, -1, false));
        add("x[0].var(0)", |x| x.var_dim(0, 1, false));
        add("x[0].softmax(-1)", |x| x.softmax(-1));
        add("x[0].softmax(0)", |x| x.softmax(0));
        add("x[0].cumsum(-1)", |x| x.cumsum(-1));
    }
    cases.push(case("x[0].norm(dim=0)", "", &[&[1024, 1000]], |x| x[0].norm_dim(2.0, 0, false)));
    cases
}

fn shapes() -> Vec<Case> {
    let (m, images): (&[usize], &[usize]) = (&[1024, 1000], &[16, 64, 28, 28]);
    vec![
        case("x[0].t().contiguous()", "", &[m], |x| x[0].t() + 0.0),
        case("x[0].permute(0, 2, 3, 1).contiguous()", "", &[images], |x| x[0].permute([0, 2, 3, 1]) + 0.0),
        case("x[0].transpose(1, 2).contiguous()", "", &[&[32, 128, 8, 64]], |x| x[0].transpose(1, 2) + 0.0),
        case("torch.cat([x[0], x[1]], 1)", "", &[m, m], |x| Tensor::cat(&[&x[0], &x[1]], 1)),
        case("torch.stack([x[0], x[1]], 0)", "", &[m, m], |x| Tensor::stack(&[&x[0], &x[1]], 0)),
        case("F.pad(x[0], (1, 1, 1, 1))", "", &[images], |x| x[0].pad([1, 1, 1, 1], PadMode::Constant(0.0))),
        case("F.pad(x[0], (1, 1, 1, 1), mode='reflect')", "", &[images], |x| x[0].pad([1, 1, 1, 1], PadMode::Reflect)),
        case("F.pad(x[0], (2, 3))", "", &[&[999, 1001]], |x| x[0].pad([2, 3], PadMode::Constant(0.0))),
        case("F.pad(x[0], (0, 1))", "", &[&[100_000, 7]], |x| x[0].pad([0, 1], PadMode::Constant(0.0))),
        case("F.pad(x[0], (1, 1, 1, 1), mode='replicate')", "", &[images], |x| {
            x[0].pad([1, 1, 1, 1], PadMode::Replicate)
        }),
        case("F.pad(x[0], (1, 1, 1, 1), mode='circular')", "", &[images], |x| {
            x[0].pad([1, 1, 1, 1], PadMode::Circular)
        }),
        case("torch.cat([x[0], x[1]], 1)", "", &[&[100_000, 3], &[100_000, 5]], |x| Tensor::cat(&[&x[0], &x[1]], 1)),
        case("torch.stack([x[0], x[1]], 1)", "", &[&[500_000], &[500_000]], |x| Tensor::stack(&[&x[0], &x[1]], 1)),
        case("x[0].permute(0, 3, 1, 2).contiguous()", "", &[&[16, 112, 112, 3]], |x| x[0].permute([0, 3, 1, 2]) + 0.0),
        case("x[0].expand(1000, 1000).contiguous()", "", &[&[1000, 1]], |x| x[0].broadcast_to([1000, 1000]) + 0.0),
        case("x[0].flip(0)", "", &[m], |x| x[0].flip(0)),
        case("x[0][:, ::2].contiguous()", "", &[m], |x| x[0].slice(1, 0, 1000, 2) + 0.0),
        case("x[0][:, 10:200].contiguous()", "", &[m], |x| x[0].narrow(1, 10, 190) + 0.0),
        case("x[0].flip(1)", "", &[m], |x| x[0].flip(1)),
        case("x[0].roll(3, 1)", "", &[m], |x| x[0].roll([3], 1)),
        case("x[0].repeat(4, 1)", "", &[&[256, 1000]], |x| x[0].repeat([4, 1])),
        case("x[0].repeat_interleave(4, 1)", "", &[&[1024, 250]], |x| x[0].repeat_interleave(4, 1)),
        case("x[0].tril()", "", &[&[1024, 1024]], |x| x[0].tril(0)),
        case("x[0].gather(1, i)", "i = places(1024 * 100, 1000).view(1024, 100)", &[m], {
            let index = Indices::new(places(1024 * 100, 1000), [1024, 100]);
            move |x| x[0].gather(1, &index)
        }),
        case("x[0].index_select(0, i)", "i = places(2048, 1024)", &[m], |x| {
            x[0].index_select(0, Indices::from(places(2048, 1024)))
        }),
        case("x[0].index_select(1, i)", "i = places(500, 1000)", &[m], |x| {
            x[0].index_select(1, Indices::from(places(500, 1000)))
        }),
        case("x[0].scatter_add(0, i, x[1])", "i = places(1024 * 1000, 1024).view(1024, 1000)", &[m, m], {
            let index = Indices::new(places(1024 * 1000, 1024), [1024, 1000]);
            move |x| x[0].scatter_add(0, &index, &x[1])
        }),
        case("x[0].index_add(0, i, x[1])", "i = places(1024, 100)", &[&[100, 1000], m], |x| {
            x[0].index_add(0, Indices::from(places(1024, 100)), &x[1])
        }),
        case("F.embedding(i, x[0])", "i = places(4096, 10000)", &[&[10000, 256]], |x| {
            x[0].embedding(&places(4096, 10000), None)
        }),
        case("F.pixel_shuffle(x[0], 2)", "", &[images], |x| x[0].pixel_shuffle(2)),
        case("F.interpolate(x[0], scale_factor=2, mode='nearest')", "", &[images], |x| {
            x[0].interpolate([56, 56], Interpolation::Nearest)
        }),
        case("F.interpolate(x[0], scale_factor=2, mode='bilinear')", "", &[images], |x| {
            x[0].interpolate([56, 56], Interpolation::Linear { align_corners: false })
        }),
    ]
}

fn layers() -> Vec<Case> {
    let images: &[usize] = &[16, 64, 56, 56];
    let c: &[usize] = &[64];
    vec![
        case("F.batch_norm(x[0], None, None, x[1], x[2], True)", "", &[images, c, c], |x| {
            x[0].batch_norm(Some(&x[1]), Some(&x[2]), 1e-5).0
        }),
        case("F.batch_norm(x[0], None, None, x[1], x[2], True)", "", &[&[64, 256], &[256], &[256]], |x| {
            x[0].batch_norm(Some(&x[1]), Some(&x[2]), 1e-5).0
        }),
        case("F.group_norm(x[0], 8, x[1], x[2])", "", &[images, c, c], |x| {
            x[0].group_norm(8, Some(&x[1]), Some(&x[2]), 1e-5)
        }),
        case("F.instance_norm(x[0], None, None, x[1], x[2])", "", &[images, c, c], |x| {
            x[0].instance_norm(Some(&x[1]), Some(&x[2]), 1e-5)
        }),
        case("F.layer_norm(x[0], (256,), x[1], x[2])", "", &[&[1024, 256], &[256], &[256]], |x| {
            x[0].layer_norm([256], Some(&x[1]), Some(&x[2]), 1e-5)
        }),
        case("F.layer_norm(x[0], (32,), x[1], x[2])", "", &[&[32, 32], &[32], &[32]], |x| {
            x[0].layer_norm([32], Some(&x[1]), Some(&x[2]), 1e-5)
        }),
        case("F.rms_norm(x[0], (256,), x[1])", "", &[&[1024, 256], &[256]], |x| {
            x[0].rms_norm([256], Some(&x[1]), None)
        }),
        case("F.dropout(x[0], 0.5)", "", &[&[1024, 1000]], {
            let rng = std::sync::Mutex::new(Rng::seed_from_u64(1));
            move |x| x[0].dropout(0.5, &mut rng.lock().expect("one thread"))
        }),
        case("F.cross_entropy(x[0], i)", "i = places(1024, 1000)", &[&[1024, 1000]], {
            let labels = places(1024, 1000);
            move |x| x[0].cross_entropy(&labels)
        }),
        case("F.cross_entropy(x[0], i)", "i = places(64, 10)", &[&[64, 10]], {
            let labels = places(64, 10);
            move |x| x[0].cross_entropy(&labels)
        }),
        case(
            "F.scaled_dot_product_attention(x[0], x[1], x[2])",
            "",
            &[&[8, 4, 128, 64], &[8, 4, 128, 64], &[8, 4, 128, 64]],
            |x| x[0].scaled_dot_product_attention(&x[1], &x[2], AttentionOptions::default()),
        ),
        case(
            "F.scaled_dot_product_attention(x[0], x[1], x[2], is_causal=True)",
            "",
            &[&[1, 8, 1024, 64], &[1, 8, 1024, 64], &[1, 8, 1024, 64]],
            |x| {
                let options = AttentionOptions { is_causal: true, ..Default::default() };
                x[0].scaled_dot_product_attention(&x[1], &x[2], options)
            },
        ),
        case(
            "F.scaled_dot_product_attention(x[0], x[1], x[2])",
            "",
            &[&[2, 2, 16, 8], &[2, 2, 16, 8], &[2, 2, 16, 8]],
            |x| x[0].scaled_dot_product_attention(&x[1], &x[2], AttentionOptions::default()),
        ),
        case("F.conv_transpose2d(x[0], x[1], x[2], 2, 1)", "", &[&[16, 64, 14, 14], &[64, 32, 4, 4], &[32]], |x| {
            let options = ConvTranspose2dOptions { stride: [2, 2], padding: [1, 1], ..Default::default() };
            x[0].conv_transpose2d(&x[1], Some(&x[2]), options)
        }),
        case("F.conv1d(x[0], x[1], x[2], padding=1)", "", &[&[16, 64, 1000], &[64, 64, 3], &[64]], |x| {
            let options = Conv1dOptions { padding: [1], ..Default::default() };
            x[0].conv1d(&x[1], Some(&x[2]), options)
        }),
        case("F.conv1d(x[0], x[1], x[2])", "", &[&[4, 1, 16000], &[32, 1, 80], &[32]], |x| {
            x[0].conv1d(&x[1], Some(&x[2]), Default::default())
        }),
        case("F.linear(x[0], x[1], x[2])", "", &[&[64, 784], &[512, 784], &[512]], |x| x[0].linear(&x[1], Some(&x[2]))),
        case("F.linear(x[0], x[1], x[2])", "", &[&[32, 2], &[16, 2], &[16]], |x| x[0].linear(&x[1], Some(&x[2]))),
        case("x[0] @ x[1]", "", &[&[64, 32, 48], &[64, 48, 40]], |x| x[0].matmul(&x[1])),
        case("x[0] @ x[1]", "", &[&[512, 8, 8], &[512, 8, 8]], |x| x[0].matmul(&x[1])),
        case("x[0] @ x[1]", "", &[&[1000, 1000], &[1000]], |x| x[0].matmul(&x[1])),
        case("torch.einsum('bij,bkj->bik', x[0], x[1])", "", &[&[32, 64, 50], &[32, 70, 50]], |x| {
            Tensor::einsum("bij,bkj->bik", &[&x[0], &x[1]])
        }),
        case("torch.outer(x[0], x[1])", "", &[&[1000], &[1000]], |x| x[0].outer(&x[1])),
    ]
}
