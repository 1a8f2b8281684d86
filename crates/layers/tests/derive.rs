//! `#[derive(Module)]` on every kind of type.

use chainrule_layers::{Buffer, Entry, EntryMut, Layer, Linear, Mode, Module, Param, Path, Real, Relu, Sequential};
use chainrule_tensor::{Rng, Tensor};
use std::marker::PhantomData;

fn linear<T: Real>(inputs: usize, outputs: usize) -> Linear<T> {
    Linear::new(inputs, outputs, &mut Rng::seed_from_u64(1))
}

fn param() -> Param {
    Param::new(Tensor::zeros(1))
}

/// The names that a visit finds; the mutable visit has to find the same.
fn names<T: Real>(module: &mut impl Module<T>) -> Vec<String> {
    let (mut names, mut names_mut) = (Vec::new(), Vec::new());
    module.visit(&Path::ROOT, &mut |path, entry| {
        let kind = if let Entry::Buffer(_) = entry { " (buffer)" } else { "" };
        names.push(format!("{path}{kind}"));
    });
    module.visit_mut(&Path::ROOT, &mut |path, entry| {
        let kind = if let EntryMut::Buffer(_) = entry { " (buffer)" } else { "" };
        names_mut.push(format!("{path}{kind}"));
    });
    assert_eq!(names, names_mut);
    names
}

#[derive(Module)]
#[module(crate = chainrule_layers)]
struct Block {
    fc: Linear,
    mean: Buffer,
    width: usize,
}

impl Block {
    fn new() -> Self {
        Block { fc: linear(2, 2), mean: Buffer::new(Tensor::zeros(2)), width: 2 }
    }
}

#[derive(Module)]
#[module(crate = chainrule_layers)]
struct Net {
    first: Block,
    blocks: Vec<Block>,
    head: Option<Linear>,
    tail: Option<Linear>,
    body: Box<dyn Layer>,
    chain: Sequential,
    pair: [Param; 2],
    r#type: Param,
}

#[test]
fn fields_are_visited_in_order_under_their_names() {
    let mut net = Net {
        first: Block::new(),
        blocks: vec![Block::new(), Block::new()],
        head: None,
        tail: Some(linear(2, 1)),
        body: Box::new(linear::<f32>(1, 1)),
        chain: Sequential::new().add(Relu).add(linear(1, 1)),
        pair: [param(), param()],
        r#type: param(),
    };
    let expected = [
        "first.fc.weight",
        "first.fc.bias",
        "first.mean (buffer)",
        "blocks.0.fc.weight",
        "blocks.0.fc.bias",
        "blocks.0.mean (buffer)",
        "blocks.1.fc.weight",
        "blocks.1.fc.bias",
        "blocks.1.mean (buffer)",
        "tail.weight",
        "tail.bias",
        "body.weight",
        "body.bias",
        "chain.1.weight",
        "chain.1.bias",
        "pair.0",
        "pair.1",
        "type",
    ];
    assert_eq!(names(&mut net), expected);
    assert_eq!(net.first.width, 2);
    net.parameters_mut()[0].values_mut().fill(7.0);
    assert_eq!(net.first.fc.weight.to_vec(), [7.0; 4]);
}

#[derive(Module)]
#[module(crate = chainrule_layers)]
struct Generic<R, M, const N: usize>
where
    R: Real,
{
    own: Linear<R>,
    others: Vec<M>,
    array: [Param<R>; N],
    marker: PhantomData<R>,
}

#[derive(Module)]
#[module(crate = chainrule_layers, real = f64)]
struct Double<M>(Linear<f64>, M);

#[derive(Module)]
#[module(crate = chainrule_layers)]
struct Residual<M, T: Real = f32> {
    inner: M,
    scale: Param<T>,
}

impl<T: Real, M: Layer<T>> Residual<M, T> {
    fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
        self.inner.call(x, &mut Mode::Eval) * &*self.scale + x
    }
}

#[test]
fn generic_types_follow_their_number_type() {
    let mut net: Generic<f64, Linear<f64>, 2> = Generic {
        own: linear(1, 1),
        others: vec![linear(1, 1)],
        array: [Param::new(Tensor::zeros(1)), Param::new(Tensor::zeros(1))],
        marker: PhantomData,
    };
    assert_eq!(names(&mut net), ["own.weight", "own.bias", "others.0.weight", "others.0.bias", "array.0", "array.1"]);

    let mut double = Double(linear(1, 1), linear(1, 1));
    assert_eq!(names(&mut double), ["0.weight", "0.bias", "1.weight", "1.bias"]);

    let mut residual = Residual { inner: Relu, scale: Param::new(Tensor::from([2.0f32])) };
    assert_eq!(residual.forward(&Tensor::from([3.0])).to_vec(), [9.0]);
    assert_eq!(names(&mut residual), ["scale"]);
}

/// No module.
struct Label;

#[derive(Module)]
#[module(crate = chainrule_layers)]
struct Attributed<'a, L> {
    #[module(skip)]
    label: &'a L,
    #[module(rename = "gamma")]
    scale: Param,
    #[module(flatten)]
    inner: Linear,
}

#[derive(Module)]
#[module(crate = chainrule_layers)]
struct Tuple(Param, #[module(skip)] Label, Linear, #[module(rename = "last")] Param);

#[test]
fn attributes_skip_rename_and_flatten() {
    let mut attributed = Attributed { label: &Label, scale: param(), inner: linear(1, 1) };
    let Label = attributed.label;
    assert_eq!(names(&mut attributed), ["gamma", "weight", "bias"]);

    let mut tuple = Tuple(param(), Label, linear(1, 1), param());
    let Label = tuple.1;
    assert_eq!(names(&mut tuple), ["0", "2.weight", "2.bias", "last"]);
}

#[derive(Module)]
#[module(crate = chainrule_layers)]
enum Choice {
    Dense { fc: Linear, scale: Param },
    Pair(Linear, Linear),
    One(#[module(flatten)] Linear),
    Nothing,
}

#[derive(Module)]
#[module(crate = chainrule_layers)]
struct Unit;

#[derive(Module)]
#[module(crate = chainrule_layers)]
enum Never {}

#[test]
fn enums_visit_the_active_variant() {
    let names_of = |mut choice: Choice| names(&mut choice);
    assert_eq!(names_of(Choice::Dense { fc: linear(1, 1), scale: param() }), ["fc.weight", "fc.bias", "scale"]);
    assert_eq!(names_of(Choice::Pair(linear(1, 1), linear(1, 1))), ["0.weight", "0.bias", "1.weight", "1.bias"]);
    assert_eq!(names_of(Choice::One(linear(1, 1))), ["weight", "bias"]);
    assert!(names_of(Choice::Nothing).is_empty());
    assert!(names(&mut Unit).is_empty());
    assert!(names(&mut None::<Never>).is_empty());
}

mod nested {
    pub(super) use chainrule_layers as layers;
}

#[test]
fn the_crate_can_be_named_by_any_path() {
    #[derive(Module)]
    #[module(crate = nested::layers)]
    struct Local {
        weight: Param,
    }
    assert_eq!(names(&mut Local { weight: param() }), ["weight"]);
}
