//! Operations that pick, place and order elements.

use super::Results;
use chainrule_tensor::ops::PadMode;
use chainrule_tensor::{Indices, Mask, Real, Tensor};
use chainrule_tests::fixture::Params;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    if let "sort" | "topk" = op {
        return Some(ordered(op, p, &x[0]));
    }
    picked(op, p, x).or_else(|| moved(op, p, &x[0])).or_else(|| cut(op, p, &x[0])).map(|y| (y, Vec::new()))
}

fn indices(p: &Params) -> Indices {
    Indices::new(p.get::<Vec<usize>>("index"), p.get::<Vec<usize>>("shape"))
}

/// The values, and where they came from as numbers.
fn ordered<T: Real>(op: &str, p: &Params, x: &Tensor<T>) -> Results<T> {
    let dim = p.get::<isize>("dim");
    let (values, places) = match op {
        "sort" => {
            let (values, places) = x.sort(dim, p.get("descending"));
            assert_eq!(x.argsort(dim, p.get("descending")), places);
            (values, places)
        }
        _ => x.topk(p.get("k"), dim, p.get("largest")),
    };
    let numbers: Vec<T> = places.iter().map(|&place| T::from_usize(place)).collect();
    (values, vec![Tensor::from_vec(numbers, places.shape())])
}

fn picked<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Tensor<T>> {
    let dim = || p.get::<isize>("dim");
    Some(match op {
        "index_select" => x[0].index_select(dim(), p.get::<Vec<usize>>("index")),
        "index_add" => x[0].index_add(dim(), p.get::<Vec<usize>>("index"), &x[1]),
        "gather" => x[0].gather(dim(), indices(p)),
        "scatter_add" => x[0].scatter_add(dim(), indices(p), &x[1]),
        "masked_fill" => {
            let mask = Mask::from_vec(p.get::<Vec<bool>>("mask"), p.get::<Vec<usize>>("shape"));
            x[0].masked_fill(&mask, T::from_f64(-1.5))
        }
        "one_hot" => &x[0] * Tensor::one_hot(p.get::<Vec<usize>>("labels"), p.get("classes")),
        _ => return None,
    })
}

fn moved<T: Real>(op: &str, p: &Params, x: &Tensor<T>) -> Option<Tensor<T>> {
    let dims = || p.get::<Vec<isize>>("dims");
    Some(match op {
        "cumsum" => x.cumsum(p.get::<isize>("dim")),
        "cumprod" => x.cumprod(p.get::<isize>("dim")),
        "flip" => x.flip(dims()),
        "roll" => x.roll(p.get::<Vec<isize>>("shifts"), dims()),
        "tril" => x.tril(p.get("diagonal")),
        "triu" => x.triu(p.get("diagonal")),
        "diagonal" => x.diagonal(p.get("offset"), p.get::<isize>("dim1"), p.get::<isize>("dim2")),
        "diag" => x.diag(p.get("offset")),
        "repeat" => x.repeat(p.get::<Vec<usize>>("counts")),
        "repeat_interleave" => x.repeat_interleave(p.get("count"), p.get::<isize>("dim")),
        "pad" => {
            let mode = match p.get::<String>("mode").as_str() {
                "constant" => PadMode::Constant(0.5),
                "reflect" => PadMode::Reflect,
                "replicate" => PadMode::Replicate,
                "circular" => PadMode::Circular,
                other => panic!("unknown mode {other}"),
            };
            x.pad(p.get::<Vec<isize>>("pad"), mode)
        }
        "flatten_dims" => x.flatten_dims(p.get::<isize>("start"), p.get::<isize>("end")),
        "unflatten" => x.unflatten(p.get::<isize>("dim"), p.get::<Vec<isize>>("sizes")),
        "squeeze" => x.squeeze(dims()),
        "squeeze_all" => x.squeeze_all(),
        "unsqueeze" => x.unsqueeze(p.get::<isize>("dim")),
        "expand" => x.expand(p.get::<Vec<isize>>("sizes")),
        _ => return None,
    })
}

/// The pieces in reverse order, as one tensor again.
fn cut<T: Real>(op: &str, p: &Params, x: &Tensor<T>) -> Option<Tensor<T>> {
    if !matches!(op, "split" | "split_with_sizes" | "chunk" | "unbind") {
        return None;
    }
    let dim = p.get::<isize>("dim");
    let (pieces, along) = match op {
        "split" => (x.split(p.get("size"), dim), dim),
        "split_with_sizes" => (x.split_with_sizes(&p.get::<Vec<usize>>("sizes"), dim), dim),
        "chunk" => (x.chunk(p.get("parts"), dim), dim),
        _ => (x.unbind(dim), 0),
    };
    Some(Tensor::cat(&pieces.iter().rev().collect::<Vec<_>>(), along))
}
