//! [`Groups`]: the settings of an optimizer by name, group by group. This is all that a schedule knows of an optimizer.

/// The settings of an optimizer. Group 0 is what the optimizer was made with; further groups
/// ([`ElementWise::group`](crate::ElementWise::group)) hold parameters with settings of their own.
///
/// Flags are 0 or 1, counts whole numbers.
pub trait Groups {
    /// How many groups there are: at least one.
    fn groups(&self) -> usize;

    /// A setting of a group, such as `lr`, `momentum` or `beta1`; `None` if the optimizer has no such setting, or no such
    /// group.
    fn option(&self, group: usize, name: &str) -> Option<f64>;

    /// Changes a setting of a group, from the next step on.
    ///
    /// # Panics
    /// If there is no such group or setting, or the value is out of the setting's range.
    fn set_option(&mut self, group: usize, name: &str, value: f64);

    /// The learning rate (of group 0).
    fn lr(&self) -> f64 {
        self.option(0, "lr").expect("every optimizer has a learning rate")
    }

    /// Another learning rate for all groups, from the next step on.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    fn set_lr(&mut self, lr: f64) {
        for group in 0..self.groups() {
            self.set_option(group, "lr", lr);
        }
    }
}
