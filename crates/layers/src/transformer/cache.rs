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
    /// If the shapes are not those of the tokens before.
    #[track_caller]
    pub fn append(&mut self, k: &Tensor<T>, v: &Tensor<T>) -> (Tensor<T>, Tensor<T>) {
        let (start, len) = (self.len, self.len + k.shape()[2]);
        let mut stored = self.stored.take().unwrap_or_else(|| [k, v].map(|x| Tensor::zeros(with_room(x, 0))));
        for (stored, new) in stored.iter_mut().zip([k, v]) {
            let room = stored.shape()[2];
            assert!(
                with_room(new, room)[..] == stored.shape()[..],
                "KvCache: {} cannot follow {}: samples, heads and features must stay the same",
                new.shape(),
                stored.shape()
            );
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

/// The shape of `x` with another number of tokens.
fn with_room<T: Real>(x: &Tensor<T>, room: usize) -> Vec<usize> {
    assert!(x.rank() == 4, "KvCache: keys and values {} must be [N, H, L, D]", x.shape());
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
    #[should_panic(expected = "KvCache: [1, 3, 1, 2] cannot follow [2, 3, 16, 2]")]
    fn samples_stay() {
        let mut cache: KvCache = KvCache::new();
        for n in [2, 1] {
            cache.append(&Tensor::zeros([n, 3, 1, 2]), &Tensor::zeros([n, 3, 1, 2]));
        }
    }
}
