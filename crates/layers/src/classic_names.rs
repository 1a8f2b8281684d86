//! Names of older state dicts: [`StateDict::with_parametrization_names`].
//!
//! | | weight normalization | spectral normalization |
//! |---|---|---|
//! | now, below `parametrizations.weight` | `original0`, `original1` | `original`, `0._u`, `0._v` |
//! | `torch.nn.utils.weight_norm`, `spectral_norm` | `weight_g`, `weight_v` | `weight_orig`, `weight_u`, `weight_v` |

use crate::StateDict;
use chainrule_tensor::Real;

impl<T: Real> StateDict<T> {
    /// The same values where normalized weights have the names of `torch.nn.utils.parametrizations`, which
    /// [`WeightNorm`](crate::WeightNorm) and [`SpectralNorm`](crate::SpectralNorm) have, instead of those of the older
    /// `torch.nn.utils.weight_norm` and `spectral_norm`. Other names stay.
    ///
    /// ```
    /// use chainrule_layers::StateDict;
    /// use chainrule_tensor::Tensor;
    ///
    /// let old: StateDict =
    ///     ["fc.weight_g", "fc.weight_v"].into_iter().map(|name| (name.to_string(), Tensor::zeros([1, 1]))).collect();
    /// let new = old.with_parametrization_names();
    /// let names: Vec<&str> = new.names().collect();
    /// assert_eq!(names, ["fc.parametrizations.weight.original0", "fc.parametrizations.weight.original1"]);
    /// ```
    #[must_use]
    pub fn with_parametrization_names(&self) -> Self {
        let rename = |name: &str| {
            let (owner, last) = name.rsplit_once('.').map_or(("", name), |(owner, last)| (owner, last));
            let sibling = |last: &str| {
                self.get(&if owner.is_empty() { last.to_string() } else { format!("{owner}.{last}") }).is_some()
            };
            let spectral = sibling("weight_orig");
            let new = match last {
                "weight_g" if sibling("weight_v") => "original0",
                "weight_v" if sibling("weight_g") => "original1",
                "weight_orig" => "original",
                "weight_u" if spectral => "0._u",
                "weight_v" if spectral => "0._v",
                _ => return name.to_string(),
            };
            let owner = if owner.is_empty() { String::new() } else { format!("{owner}.") };
            format!("{owner}parametrizations.weight.{new}")
        };
        self.iter().map(|(name, value)| (rename(name), value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Linear, Module, SpectralNorm, StateDict, WeightNorm};
    use chainrule_tensor::Rng;

    /// The values of a module under older names.
    fn renamed(state: &StateDict, names: &[&str]) -> StateDict {
        assert_eq!(state.len(), names.len());
        state.iter().zip(names).map(|((_, value), name)| (name.to_string(), value.clone())).collect()
    }

    #[test]
    fn older_state_dicts_fit() {
        let mut rng = Rng::seed_from_u64(1);
        let layer: Linear = Linear::new(3, 2, &mut rng);
        let (mut weight, mut spectral) = (WeightNorm::new(layer.clone()), SpectralNorm::new(layer, &mut rng));
        let old = renamed(&weight.state_dict(), &["bias", "weight_g", "weight_v"]);
        assert!(weight.load_state_dict(&old).is_err());
        weight.load_state_dict(&old.with_parametrization_names()).unwrap();
        let old = renamed(&spectral.state_dict(), &["bias", "weight_orig", "weight_u", "weight_v"]);
        spectral.load_state_dict(&old.with_parametrization_names()).unwrap();
        // A parameter that happens to have such a name keeps it.
        let other: StateDict = [("weight_v".to_string(), [1.0f32].into())].into_iter().collect();
        assert_eq!(other.with_parametrization_names().names().collect::<Vec<_>>(), ["weight_v"]);
    }
}
