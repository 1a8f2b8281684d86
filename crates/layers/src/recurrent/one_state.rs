//! Layers whose cells carry one state, the plain one and the GRU: they differ in what happens in a step alone.

/// Declares such a layer: its documentation, its name and its kind.
macro_rules! one_state {
    ($(#[$doc:meta])* $Name:ident, $kind:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Module)]
        #[module(crate = crate)]
        pub struct $Name<T: Real = f32> {
            #[module(flatten)]
            stack: Stack<T>,
        }

        impl<T: Real> $Name<T> {
            /// One layer for sequences of `inputs` features with an output of `hidden` units.
            ///
            /// # Panics
            /// If `hidden` is 0.
            #[track_caller]
            pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
                Self::builder(inputs, hidden).build(rng)
            }

            /// Layers to be configured: [`RecurrentBuilder`].
            pub fn builder(inputs: usize, hidden: usize) -> RecurrentBuilder<Self, T> {
                RecurrentBuilder::new(stringify!($Name), $kind, inputs, hidden, |stack| $Name { stack })
            }

            /// The outputs of all steps, and the last state of each layer and direction. Without a state it starts from zeros.
            ///
            /// # Panics
            /// If a shape does not match, or there is no step.
            #[track_caller]
            pub fn forward(&self, x: &Tensor<T>, state: Option<&Tensor<T>>, mode: &mut Mode<'_>) -> (Tensor<T>, Tensor<T>) {
                let (y, (h, _)) = self.stack.forward(x, None, state.map(|h| (h, None)), mode);
                (y, h)
            }

            /// [`forward`](Self::forward) for samples of different lengths, padded to the longest. What stands in the padding is not
            /// read; the outputs there are 0. The last state is the one after each sample's own last step.
            ///
            /// # Panics
            /// If a shape does not match, or there is not one length for each sample, from 1 to the number of steps.
            #[track_caller]
            pub fn forward_padded(
                &self,
                x: &Tensor<T>,
                lengths: &[usize],
                state: Option<&Tensor<T>>,
                mode: &mut Mode<'_>,
            ) -> (Tensor<T>, Tensor<T>) {
                let (y, (h, _)) = self.stack.forward(x, Some(lengths), state.map(|h| (h, None)), mode);
                (y, h)
            }

            /// The parameters of one layer in one direction.
            ///
            /// # Panics
            /// If there is no such layer or direction.
            #[track_caller]
            pub fn params(&self, layer: usize, reverse: bool) -> &RecurrentParams<T> {
                self.stack.params(layer, reverse)
            }

            /// The number of features of the input.
            pub fn inputs(&self) -> usize {
                self.stack.inputs()
            }

            /// The number of units of the state. The output of a bidirectional layer has twice as many features.
            pub fn hidden(&self) -> usize {
                self.stack.hidden()
            }
        }

        impl<T: Real> Layer<T> for $Name<T> {
            fn call(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
                self.forward(x, None, mode).0
            }
            fn describe(&self) -> String {
                self.stack.describe()
            }
        }
    };
}
pub(super) use one_state;
