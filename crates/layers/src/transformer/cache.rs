//! [`KvCache`]: the keys and values of the tokens so far, so that a new token costs no more than its own.

use chainrule_tensor::{Real, Tensor};

/// The keys and values of one attention layer.
///
/// Memory grows by doubling, so that adding a token takes the same time on average however many there are.
#[derive(Clone, Debug, Default)]
pub struct KvCache<T: Real = f32> {
    /// Keys and values, `[N, H, capacity, D]`.
    stored: Option<[Tensor<T>; 2]>,
    len: usize,
}

impl<T: Real> KvCache<T> {
    /// An empty cache.
    pub fn new() -> Self {
        KvCache { stored: None, len: 0 }
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes in keys and values `[N, H, L, D]` and returns those of all tokens so far. No gradient flows through them.
    ///
    /// # Panics
    /// If there are not as many values as keys, or the shapes are not those of the tokens before. Nothing has changed then.
    #[track_caller]
    pub fn append(&mut self, k: &Tensor<T>, v: &Tensor<T>) -> (Tensor<T>, Tensor<T>) {
        let ranks = k.rank() == 4 && v.rank() == 4;
        assert!(ranks, "KvCache: keys {} and values {} must be [N, H, L, D]", k.shape(), v.shape());
        let same = k.shape()[..3] == v.shape()[..3];
        assert!(same, "KvCache: keys {} and values {} differ in samples, heads or tokens", k.shape(), v.shape());
        for (stored, new) in self.stored.iter().flatten().zip([k, v]) {
            assert!(
                with_room(new, stored.shape()[2])[..] == stored.shape()[..],
                "KvCache: {} cannot follow {}: samples, heads and features must stay the same",
                new.shape(),
                stored.shape()
            );
        }
        let (start, len) = (self.len, self.len + k.shape()[2]);
        let mut stored = self.stored.take().unwrap_or_else(|| [k, v].map(|x| Tensor::zeros(with_room(x, 0))));
        for (stored, new) in stored.iter_mut().zip([k, v]) {
            let room = stored.shape()[2];
            if len > room {
                let larger = Tensor::zeros(with_room(new, (2 * room).max(len).max(16)));
                let old = std::mem::replace(stored, larger);
                write(stored, &old.narrow(2, 0, start), 0);
            }
            write(stored, new, start);
        }
        let [k, v] = &stored;
        let all = (k.narrow(2, 0, len), v.narrow(2, 0, len));
        (self.stored, self.len) = (Some(stored), len);
        all
    }
}

/// The shape of `x` `[N, H, L, D]` with another number of tokens.
fn with_room<T: Real>(x: &Tensor<T>, room: usize) -> Vec<usize> {
    let mut shape = x.shape().to_vec();
    shape[2] = room;
    shape
}

/// Writes tokens `[N, H, L, D]` to their places from `start` on.
fn write<T: Real>(to: &mut Tensor<T>, from: &Tensor<T>, start: usize) {
    let (room, len, features) = (to.shape()[2], from.shape()[2], from.shape()[3]);
    let (values, run) = (from.to_vec(), len * features);
    if run > 0 {
        for (to, from) in to.make_mut().chunks_mut(room * features).zip(values.chunks(run)) {
            to[start * features..][..run].copy_from_slice(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_kept_in_their_order() {
        let mut cache: KvCache = KvCache::new();
        let mut all: Option<Tensor> = None;
        for step in 0..40 {
            let new = Tensor::from_fn([2, 3, 1 + step % 3, 2], |i| (100 * step + i) as f32);
            all = Some(all.map_or(new.clone(), |all| Tensor::cat(&[&all, &new], 2)));
            let (k, v) = cache.append(&new, &(&new * 2.0));
            let all = all.as_ref().unwrap();
            assert_eq!(k.to_vec(), all.to_vec());
            assert_eq!(v.to_vec(), (all * 2.0).to_vec());
            assert_eq!(cache.len(), all.shape()[2]);
        }
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let tokens = |shape: &[usize]| Tensor::<f32>::ones(shape.to_vec());
        let one = tokens(&[2, 3, 1, 2]);
        for filled in [false, true] {
            for (k, v, message) in [
                (tokens(&[2, 3]), one.clone(), "KvCache: keys [2, 3] and values [2, 3, 1, 2] must be [N, H, L, D]"),
                (one.clone(), tokens(&[2]), "KvCache: keys [2, 3, 1, 2] and values [2] must be [N, H, L, D]"),
                (tokens(&[2, 3, 4, 2]), one.clone(), "differ in samples, heads or tokens"),
                (one.clone(), tokens(&[2, 3, 2, 5]), "differ in samples, heads or tokens"),
            ] {
                let mut cache = KvCache::new();
                if filled {
                    cache.append(&one, &one);
                }
                let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cache.append(&k, &v)));
                let panic = refused.unwrap_err();
                let said = panic.downcast_ref::<String>().unwrap();
                assert!(said.contains(message), "{said}");
                let (k, v) = cache.append(&one, &one);
                assert!(k.shape()[2] == 1 + usize::from(filled) && cache.len() == k.shape()[2]);
                assert!(k.to_vec().into_iter().chain(v.to_vec()).all(|x| x == 1.0));
            }
        }
    }

    #[test]
    fn a_misfit_with_earlier_tokens_changes_nothing() {
        let tokens = |shape: [usize; 4]| Tensor::<f32>::ones(shape);
        let mut cache = KvCache::new();
        cache.append(&tokens([2, 3, 1, 2]), &tokens([2, 3, 1, 4]));
        // The values do not fit; the keys alone would.
        let (k, v) = (tokens([2, 3, 1, 2]), tokens([2, 3, 1, 2]));
        let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cache.append(&k, &v)));
        assert!(refused.is_err() && cache.len() == 1);
        let (k, _) = cache.append(&k, &tokens([2, 3, 1, 4]));
        assert_eq!((k.shape()[2], k.to_vec()), (2, vec![1.0; 24]));
    }

    #[test]
    #[should_panic(expected = "KvCache: [1, 3, 1, 2] cannot follow [2, 3, 16, 2]")]
    fn samples_stay() {
        let mut cache: KvCache = KvCache::new();
        for n in [2, 1] {
            cache.append(&Tensor::zeros([n, 3, 1, 2]), &Tensor::zeros([n, 3, 1, 2]));
        }
    }
}
