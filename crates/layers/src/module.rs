//! [`Module`]: the named parameters of a layer or net, and [`Layer`]: a module that maps a tensor to a tensor.

use crate::{Buffer, Mode, Param, StateDict, StateError, state};
use chainrule_tensor::{Real, Tensor};
use std::fmt;
use std::marker::PhantomData;

/// Where a parameter lives: the field names and indices on the way to it. Printed with dots between them, as in `conv1.weight`.
///
/// It lies on the stack of the visit, so that walking over a model allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Index(usize),
}

impl Path<'_> {
    /// The model itself.
    pub const ROOT: Path<'static> = Path { parent: None, step: Step::Root };

    /// A field of what this path names.
    pub fn field<'b>(&'b self, name: &'b str) -> Path<'b> {
        Path { parent: Some(self), step: Step::Field(name) }
    }

    /// An element of what this path names.
    pub fn index(&self, index: usize) -> Path<'_> {
        Path { parent: Some(self), step: Step::Index(index) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
            if !matches!(parent.step, Step::Root) {
                f.write_str(".")?;
            }
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Field(name) => f.write_str(name),
            Step::Index(index) => write!(f, "{index}"),
        }
    }
}

/// What a visit finds.
#[derive(Debug)]
pub enum Entry<'a, T: Real = f32> {
    /// A parameter.
    Param(&'a Param<T>),
    /// A buffer.
    Buffer(&'a Buffer<T>),
}

/// What a mutable visit finds.
#[derive(Debug)]
pub enum EntryMut<'a, T: Real = f32> {
    /// A parameter.
    Param(&'a mut Param<T>),
    /// A buffer.
    Buffer(&'a mut Buffer<T>),
}

/// Something with named parameters: a layer, a net, a list of them.
///
/// `#[derive(Module)]` visits the fields in their order, under their names. Plain numbers, strings and the like have no
/// parameters; a field of a type that is no module is left out with `#[module(skip)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no `Module`",
    note = "derive it with `#[derive(Module)]`, or mark the field `#[module(skip)]` if it holds no parameters"
)]
pub trait Module<T: Real = f32> {
    /// Calls `visitor` for every parameter and buffer, in a fixed order.
    fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a, T>));

    /// Calls `visitor` for every parameter and buffer, in the same order, to change them.
    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a, T>));

    /// The parameters with their names, in order.
    fn named_parameters(&self) -> Vec<(String, &Param<T>)> {
        let mut found = Vec::new();
        self.visit(&Path::ROOT, &mut |path, entry| {
            if let Entry::Param(param) = entry {
                found.push((path.to_string(), param));
            }
        });
        found
    }

    /// The parameters, in order.
    fn parameters(&self) -> Vec<&Param<T>> {
        let mut found = Vec::new();
        self.visit(&Path::ROOT, &mut |_, entry| {
            if let Entry::Param(param) = entry {
                found.push(param);
            }
        });
        found
    }

    /// The parameters, in order, to change them.
    fn parameters_mut(&mut self) -> Vec<&mut Param<T>> {
        let mut found = Vec::new();
        self.visit_mut(&Path::ROOT, &mut |_, entry| {
            if let EntryMut::Param(param) = entry {
                found.push(param);
            }
        });
        found
    }

    /// How many numbers are trained or frozen: the elements of all parameters.
    fn num_parameters(&self) -> usize {
        self.parameters().iter().map(|p| p.numel()).sum()
    }

    /// How many numbers are trained: the elements of the parameters that are not frozen.
    fn num_trainable(&self) -> usize {
        self.parameters().iter().filter(|p| p.is_trainable()).map(|p| p.numel()).sum()
    }

    /// Freezes all parameters: no gradient flows to them, and optimizers leave them alone.
    fn freeze(&mut self) {
        self.parameters_mut().into_iter().for_each(Param::freeze);
    }

    /// Makes all parameters trainable again.
    fn unfreeze(&mut self) {
        self.parameters_mut().into_iter().for_each(Param::unfreeze);
    }

    /// Freezes the parameters for which `select` holds, by name and value, and returns how many these are.
    ///
    /// ```
    /// use chainrule_layers::{Linear, Module, Relu, Sequential};
    /// use chainrule_tensor::Rng;
    ///
    /// let mut rng = Rng::seed_from_u64(1);
    /// let mut net: Sequential = Sequential::new()
    ///     .add(Linear::new(4, 8, &mut rng))
    ///     .add(Relu)
    ///     .add(Linear::new(8, 3, &mut rng));
    /// assert_eq!(net.freeze_where(|name, _| name.starts_with("0.")), 2);
    /// assert_eq!(net.num_trainable(), 8 * 3 + 3);
    /// ```
    fn freeze_where(&mut self, select: impl FnMut(&str, &Param<T>) -> bool) -> usize
    where
        Self: Sized,
    {
        for_each_selected(self, select, Param::freeze)
    }

    /// Makes the parameters for which `select` holds, by name and value, trainable again, and returns how many these are.
    fn unfreeze_where(&mut self, select: impl FnMut(&str, &Param<T>) -> bool) -> usize
    where
        Self: Sized,
    {
        for_each_selected(self, select, Param::unfreeze)
    }

    /// The values of all parameters and buffers by name. Copies nothing; what is trained on later is copied then.
    ///
    /// # Panics
    /// If two of them have the same name.
    #[track_caller]
    fn state_dict(&self) -> StateDict<T> {
        state::collect(|visitor| self.visit(&Path::ROOT, visitor))
    }

    /// Takes over the values of all parameters and buffers. Which ones are frozen stays as it is.
    ///
    /// # Errors
    /// If a name is missing or unexpected, or a shape differs. Nothing has changed then.
    fn load_state_dict(&mut self, state: &StateDict<T>) -> Result<(), StateError> {
        state::check(|visitor| self.visit(&Path::ROOT, visitor), state)?;
        self.visit_mut(&Path::ROOT, &mut |path, entry| state::assign(path, entry, state));
        Ok(())
    }

    /// Writes the state dict to a safetensors file without metadata: [`save_safetensors`](crate::save_safetensors).
    ///
    /// # Errors
    /// If the file cannot be written. What was there before is still there then.
    fn save(&self, path: impl AsRef<std::path::Path>) -> Result<(), StateError>
    where
        Self: Sized,
    {
        crate::save_safetensors(path, &self.state_dict(), &crate::Metadata::new())
    }

    /// Reads the state dict from a safetensors file: [`load_safetensors`](crate::load_safetensors).
    ///
    /// # Errors
    /// If the file cannot be read or is damaged, or its entries do not fit the module. Nothing has changed then.
    fn load(&mut self, path: impl AsRef<std::path::Path>) -> Result<(), StateError>
    where
        Self: Sized,
    {
        let (state, _) = crate::load_safetensors(&path)?;
        self.load_state_dict(&state).map_err(|error| error.at(path.as_ref()))
    }
}

fn for_each_selected<T: Real>(
    module: &mut dyn Module<T>,
    mut select: impl FnMut(&str, &Param<T>) -> bool,
    change: fn(&mut Param<T>),
) -> usize {
    let mut count = 0;
    module.visit_mut(&Path::ROOT, &mut |path, entry| {
        if let EntryMut::Param(param) = entry
            && select(&path.to_string(), param)
        {
            change(param);
            count += 1;
        }
    });
    count
}

/// A module that maps one tensor to another, and can therefore stand in a chain.
pub trait Layer<T: Real = f32>: Module<T> + fmt::Debug + Send + Sync {
    /// The layer's output. Layers without random numbers and running statistics ignore `mode`; they also have a plain
    /// `forward(&self, x)`.
    ///
    /// # Panics
    /// If the shape of `x` does not suit the layer.
    fn call(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T>;

    /// [`call`](Layer::call) with an input that is not needed any more, which a layer may overwrite with its output.
    ///
    /// # Panics
    /// As `call`.
    fn call_owned(&self, x: Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        self.call(&x, mode)
    }

    /// [`call_owned`](Layer::call_owned), then a ReLU. Layers that can take the maximum with 0 while they write their output
    /// save a pass over it.
    ///
    /// # Panics
    /// As `call`.
    fn call_relu(&self, x: Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        self.call_owned(x, mode).relu_()
    }

    /// Whether this layer is `max(x, 0)` and nothing else: in a chain, the layer before it may do that
    /// ([`call_relu`](Layer::call_relu)).
    fn is_relu(&self) -> bool {
        false
    }

    /// One line for a summary: the layer's kind and sizes, in PyTorch's style, such as `Linear(784, 128)`.
    fn describe(&self) -> String;
}

/// Types without parameters, perhaps for any number of dimensions `D`: modules of every number type.
macro_rules! no_parameters {
    (@ [$($parameter:tt)*] $t:ty) => {
        impl<$($parameter)* T: $crate::Real> $crate::Module<T> for $t {
            fn visit<'a>(&'a self, _: &$crate::Path<'_>, _: &mut dyn FnMut(&$crate::Path<'_>, $crate::Entry<'a, T>)) {}
            fn visit_mut<'a>(
                &'a mut self,
                _: &$crate::Path<'_>,
                _: &mut dyn FnMut(&$crate::Path<'_>, $crate::EntryMut<'a, T>),
            ) {
            }
        }
    };
    (for<$D:ident> $t:ty) => { $crate::module::no_parameters!(@ [const $D: usize,] $t); };
    ($($t:ty),*) => { $( $crate::module::no_parameters!(@ [] $t); )* };
}
pub(crate) use no_parameters;
no_parameters!((), bool, char, u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, f32, f64, String, &'static str);

impl<T: Real, A: ?Sized> Module<T> for PhantomData<A> {
    fn visit<'a>(&'a self, _: &Path<'_>, _: &mut dyn FnMut(&Path<'_>, Entry<'a, T>)) {}
    fn visit_mut<'a>(&'a mut self, _: &Path<'_>, _: &mut dyn FnMut(&Path<'_>, EntryMut<'a, T>)) {}
}

impl<T: Real, M: Module<T> + ?Sized> Module<T> for Box<M> {
    fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a, T>)) {
        (**self).visit(path, visitor);
    }
    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a, T>)) {
        (**self).visit_mut(path, visitor);
    }
}

/// A layer that is chosen at run time can stand wherever a layer can.
impl<T: Real, L: Layer<T> + ?Sized> Layer<T> for Box<L> {
    fn call(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        (**self).call(x, mode)
    }
    fn call_owned(&self, x: Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        (**self).call_owned(x, mode)
    }
    fn call_relu(&self, x: Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        (**self).call_relu(x, mode)
    }
    fn is_relu(&self) -> bool {
        (**self).is_relu()
    }
    fn describe(&self) -> String {
        (**self).describe()
    }
}

impl<T: Real, M: Module<T>> Module<T> for Option<M> {
    fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a, T>)) {
        if let Some(module) = self {
            module.visit(path, visitor);
        }
    }
    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a, T>)) {
        if let Some(module) = self {
            module.visit_mut(path, visitor);
        }
    }
}

impl<T: Real, M: Module<T>> Module<T> for [M] {
    fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a, T>)) {
        self.iter().enumerate().for_each(|(i, module)| module.visit(&path.index(i), visitor));
    }
    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a, T>)) {
        self.iter_mut().enumerate().for_each(|(i, module)| module.visit_mut(&path.index(i), visitor));
    }
}

impl<T: Real, M: Module<T>, const N: usize> Module<T> for [M; N] {
    fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a, T>)) {
        self.as_slice().visit(path, visitor);
    }
    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a, T>)) {
        self.as_mut_slice().visit_mut(path, visitor);
    }
}

impl<T: Real, M: Module<T>> Module<T> for Vec<M> {
    fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a, T>)) {
        self.as_slice().visit(path, visitor);
    }
    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a, T>)) {
        self.as_mut_slice().visit_mut(path, visitor);
    }
}
