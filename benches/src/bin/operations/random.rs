//! Operations of all kinds on random shapes.

use super::{Case, case, places};
use chainrule_tensor::ops::{
    AttentionOptions, AvgPoolOptions, Conv1dOptions, ConvTranspose2dOptions, Interpolation, PoolOptions,
};
use chainrule_tensor::{Rng, Tensor};
use std::collections::VecDeque;

/// How many numbers the inputs of a case may hold.
const NUMBERS: std::ops::Range<usize> = 300..3_000_000;

/// How many operations are thrown for one that is wanted, at most.
const TRIES: usize = 1000;

/// `count` of those that have `name` in their call, or fewer where there are hardly any; the same ones for the same seed. The first of their sizes are `sizes`.
pub(super) fn cases(count: usize, seed: u64, sizes: &[u32], name: &str) -> Vec<Case> {
    let dice = &mut Dice { rng: Rng::seed_from_u64(seed), sizes: VecDeque::new() };
    let thrown = (0..count.saturating_mul(TRIES)).map(|_| {
        let kinds: [fn(&mut Dice) -> Case; 8] =
            [function, broadcast, reduction, norm, pooling, convolution, product, placed];
        dice.sizes = sizes.iter().map(|&size| size as usize).collect();
        dice.of(&kinds)(dice)
    });
    let numbers = |case: &Case| case.shapes.iter().map(|shape| shape.iter().product::<usize>()).sum();
    let wanted = |case: &Case| case.torch.contains(name) && (!sizes.is_empty() || NUMBERS.contains(&numbers(case)));
    thrown.filter(wanted).take(count).collect()
}

struct Dice {
    rng: Rng,
    /// Sizes that are settled.
    sizes: VecDeque<usize>,
}

impl Dice {
    fn of<A: Copy>(&mut self, all: &[A]) -> A {
        all[self.rng.below(all.len())]
    }

    /// A size up to `most`; small ones are as likely as large ones.
    fn size(&mut self, most: usize) -> usize {
        self.between(1, most)
    }

    fn between(&mut self, least: usize, most: usize) -> usize {
        let (least, most) = ((least as f64).ln(), (most as f64).ln());
        let thrown = (least + (most - least) * self.rng.uniform()).exp().round() as usize;
        self.sizes.pop_front().unwrap_or(thrown)
    }

    /// Images `[batch, channels, size, size]`.
    fn images(&mut self, channels: usize, least: usize, most: usize) -> Vec<usize> {
        let size = self.between(least, most);
        vec![self.size(32), channels, size, size]
    }
}

fn function(dice: &mut Dice) -> Case {
    type Function = (&'static str, fn(&Tensor) -> Tensor);
    let all: [Function; 5] = [
        ("F.gelu(x[0])", Tensor::gelu),
        ("x[0].tanh()", Tensor::tanh),
        ("x[0].sigmoid()", Tensor::sigmoid),
        ("x[0].relu()", Tensor::relu),
        ("x[0].exp()", Tensor::exp),
    ];
    let (torch, function) = dice.of(&all);
    case(torch, "", &[&[dice.size(2000), dice.size(2000)]], move |x| function(&x[0]))
}

fn broadcast(dice: &mut Dice) -> Case {
    let shape = [(); 3].map(|()| dice.size(300));
    if dice.of(&[true, false]) {
        return case("F.mse_loss(x[0], x[1])", "", &[&shape, &shape], |x| x[0].mse_loss(&x[1]));
    }
    let other = shape.map(|size| if dice.of(&[true, false]) { size } else { 1 });
    case("x[0] * x[1]", "", &[&shape, &other], |x| &x[0] * &x[1])
}

fn reduction(dice: &mut Dice) -> Case {
    type Reduction = (&'static str, fn(&Tensor, isize) -> Tensor);
    let all: [Reduction; 9] = [
        ("sum(", |x, d| x.sum_dim(d, false)),
        ("mean(", |x, d| x.mean_dim(d, false)),
        ("var(", |x, d| x.var_dim(d, 1, false)),
        ("amax(", |x, d| x.amax(d, false)),
        ("norm(dim=", |x, d| x.norm_dim(2.0, d, false)),
        ("logsumexp(", |x, d| x.logsumexp(d, false)),
        ("softmax(", |x, d| x.softmax(d)),
        ("log_softmax(", |x, d| x.log_softmax(d)),
        ("cumsum(", |x, d| x.cumsum(d)),
    ];
    let ((torch, reduction), d) = (dice.of(&all), dice.of(&[0, 1, 2]));
    let shape = [dice.size(600), dice.size(300), dice.size(600)];
    case(&format!("x[0].{torch}{d})"), "", &[&shape], move |x| reduction(&x[0], d))
}

fn norm(dice: &mut Dice) -> Case {
    let (rows, n, groups) = (dice.size(4096), dice.between(2, 3000), dice.of(&[1, 2, 4, 8, 16]));
    let channels = groups * dice.size(32);
    let images = dice.images(channels, 1, 64);
    let c: &[usize] = &[channels];
    match dice.of(&[0, 1, 2, 3]) {
        0 => case(&format!("F.layer_norm(x[0], ({n},), x[1], x[2])"), "", &[&[rows, n], &[n], &[n]], move |x| {
            x[0].layer_norm([n], Some(&x[1]), Some(&x[2]), 1e-5)
        }),
        1 => case(&format!("F.rms_norm(x[0], ({n},), x[1])"), "", &[&[rows, n], &[n]], move |x| {
            x[0].rms_norm([n], Some(&x[1]), None)
        }),
        2 => case("F.batch_norm(x[0], None, None, x[1], x[2], True)", "", &[&images, c, c], |x| {
            x[0].batch_norm(Some(&x[1]), Some(&x[2]), 1e-5).0
        }),
        _ => case(&format!("F.group_norm(x[0], {groups}, x[1], x[2])"), "", &[&images, c, c], move |x| {
            x[0].group_norm(groups, Some(&x[1]), Some(&x[2]), 1e-5)
        }),
    }
}

fn pooling(dice: &mut Dice) -> Case {
    let kernel = dice.of(&[2, 3, 3, 4, 5, 7]);
    let (stride, padding, out) = (dice.of(&[1, 2, 2, 3, kernel]), dice.of(&[0, kernel / 2]), dice.of(&[1, 2, 3, 5, 7]));
    let channels = dice.size(300);
    let images = &[&dice.images(channels, 7, 112)[..]];
    match dice.of(&[0, 1, 2, 3]) {
        0 => case(&format!("F.max_pool2d(x[0], {kernel}, {stride}, {padding})"), "", images, move |x| {
            x[0].max_pool2d(PoolOptions { stride: [stride; 2], padding: [padding; 2], ..[kernel; 2].into() })
        }),
        1 => case(&format!("F.avg_pool2d(x[0], {kernel}, {stride}, {padding})"), "", images, move |x| {
            x[0].avg_pool2d(AvgPoolOptions { stride: [stride; 2], padding: [padding; 2], ..[kernel; 2].into() })
        }),
        2 => case(&format!("F.adaptive_max_pool2d(x[0], {out})"), "", images, move |x| {
            x[0].adaptive_max_pool2d([out; 2])
        }),
        _ => case(&format!("F.adaptive_avg_pool2d(x[0], {out})"), "", images, move |x| {
            x[0].adaptive_avg_pool2d([out; 2])
        }),
    }
}

fn convolution(dice: &mut Dice) -> Case {
    if dice.of(&[true, false]) {
        let (kernel, stride, padding) = (dice.of(&[2, 3, 4, 4, 5]), dice.of(&[1, 2, 2, 3]), dice.of(&[0, 1]));
        let (channels, outputs) = (dice.size(128), dice.size(128));
        let weight = [channels, outputs, kernel, kernel];
        let torch = format!("F.conv_transpose2d(x[0], x[1], x[2], {stride}, {padding})");
        return case(&torch, "", &[&dice.images(channels, 2, 40), &weight, &[outputs]], move |x| {
            let options = ConvTranspose2dOptions { stride: [stride; 2], padding: [padding; 2], ..Default::default() };
            x[0].conv_transpose2d(&x[1], Some(&x[2]), options)
        });
    }
    let (kernel, stride, dilation) =
        (dice.of(&[1, 2, 3, 3, 5, 7, 9, 15]), dice.of(&[1, 1, 2, 3]), dice.of(&[1, 1, 2, 4]));
    let (groups, padding) = (dice.of(&[1, 1, 1, 2, 4]), dice.of(&[0, kernel / 2]));
    let (inputs, outputs) = (dice.size(64), groups * dice.size(64));
    let x = [dice.size(32), groups * inputs, dice.between(kernel * dilation, 2000)];
    let torch = format!("F.conv1d(x[0], x[1], x[2], {stride}, {padding}, {dilation}, {groups})");
    case(&torch, "", &[&x, &[outputs, inputs, kernel], &[outputs]], move |x| {
        let options = Conv1dOptions { stride: [stride], padding: [padding], dilation: [dilation], groups };
        x[0].conv1d(&x[1], Some(&x[2]), options)
    })
}

fn product(dice: &mut Dice) -> Case {
    let [m, k, n] = [(); 3].map(|()| dice.size(1500));
    let [batch, rows, inner, columns] = [(); 4].map(|()| dice.size(200));
    match dice.of(&[0, 1, 2, 3]) {
        0 => case("F.linear(x[0], x[1], x[2])", "", &[&[m, k], &[n, k], &[n]], |x| x[0].linear(&x[1], Some(&x[2]))),
        1 => case("x[0] @ x[1]", "", &[&[batch, rows, inner], &[batch, inner, columns]], |x| x[0].matmul(&x[1])),
        2 => case("x[0] @ x[1].mT", "", &[&[batch, rows, inner], &[batch, columns, inner]], |x| {
            x[0].matmul(&x[1].transpose(1, 2))
        }),
        _ => {
            let (is_causal, width) = (dice.of(&[false, true]), dice.of(&[8, 16, 24, 32, 40, 64, 128]));
            let (length, heads) = (dice.size(300), dice.of(&[1, 2, 4, 8, 12]));
            let keys = if is_causal { length } else { dice.of(&[length, rows]) };
            let [q, kv] = [length, keys].map(|length| [columns.min(16), heads, length, width]);
            let causal = if is_causal { ", is_causal=True" } else { "" };
            let torch = format!("F.scaled_dot_product_attention(x[0], x[1], x[2]{causal})");
            case(&torch, "", &[&q, &kv, &kv], move |x| {
                x[0].scaled_dot_product_attention(&x[1], &x[2], AttentionOptions { is_causal, ..Default::default() })
            })
        }
    }
}

/// What moves numbers, or picks some.
fn placed(dice: &mut Dice) -> Case {
    let (rows, columns, count) = (dice.size(4096), dice.between(2, 5000), dice.size(4096));
    match dice.of(&[0, 1, 2, 3, 4]) {
        0 => {
            let mut order = [0, 1, 2, 3];
            // What stays as it is need not be copied.
            while order.is_sorted() {
                dice.rng.shuffle(&mut order);
            }
            let shape = [(); 4].map(|()| dice.size(64));
            let torch = format!("x[0].permute({}).contiguous()", order.map(|d| d.to_string()).join(", "));
            case(&torch, "", &[&shape], move |x| x[0].permute(order.map(|d| d as isize)) + 0.0)
        }
        1 => {
            let (d, shape) = (dice.of(&[0, 1, 2]), [dice.size(300), dice.size(100), dice.size(300)]);
            let mut other = shape;
            other[d] = dice.size(300);
            case(&format!("torch.cat(x, {d})"), "", &[&shape, &other], move |x| {
                Tensor::cat(&[&x[0], &x[1]], d as isize)
            })
        }
        2 => {
            let labels = places(rows, columns);
            case("F.cross_entropy(x[0], i)", &format!("i = places({rows}, {columns})"), &[&[rows, columns]], move |x| {
                x[0].cross_entropy(&labels)
            })
        }
        3 => {
            let picked = places(count, rows);
            case("F.embedding(i, x[0])", &format!("i = places({count}, {rows})"), &[&[rows, columns]], move |x| {
                x[0].embedding(&picked, None)
            })
        }
        _ => {
            let (channels, nearest) = (dice.size(64), dice.of(&[true, false]));
            let images = dice.images(channels, 2, 64);
            let size = dice.of(&[2 * images[2], images[2] / 2 + 1, images[2] + 3]);
            let mode = if nearest { "nearest" } else { "bilinear" };
            case(&format!("F.interpolate(x[0], size=({size}, {size}), mode='{mode}')"), "", &[&images], move |x| {
                let linear = Interpolation::Linear { align_corners: false };
                x[0].interpolate([size; 2], if nearest { Interpolation::Nearest } else { linear })
            })
        }
    }
}
