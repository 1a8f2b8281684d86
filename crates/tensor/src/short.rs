//! [`Short`]: a list that is mostly short, and then lies in place.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};

/// A list of up to `N` elements in place, of more on the heap.
#[derive(Clone)]
pub(crate) enum Short<A, const N: usize> {
    /// The first `len` of the items; the others are defaults.
    Inline { len: u8, items: [A; N] },
    /// More than fit in place.
    Heap(Vec<A>),
}

impl<A: Default, const N: usize> Short<A, N> {
    /// Adds an element at the end.
    #[inline]
    pub(crate) fn push(&mut self, item: A) {
        match self {
            Short::Inline { len, items } if usize::from(*len) < N => {
                items[usize::from(*len)] = item;
                *len += 1;
            }
            Short::Inline { items, .. } => {
                let mut list: Vec<A> = Vec::with_capacity(2 * N);
                list.extend(items.iter_mut().map(std::mem::take));
                list.push(item);
                *self = Short::Heap(list);
            }
            Short::Heap(list) => list.push(item),
        }
    }

    /// Adds an element before the one at `at`.
    ///
    /// # Panics
    /// If `at` is beyond the end.
    pub(crate) fn insert(&mut self, at: usize, item: A) {
        self.push(item);
        self[at..].rotate_right(1);
    }
}

impl<A: Default, const N: usize> Default for Short<A, N> {
    #[inline]
    fn default() -> Self {
        const { assert!(N < 256, "the length is a byte") };
        Short::Inline { len: 0, items: std::array::from_fn(|_| A::default()) }
    }
}

impl<A: Default, const N: usize> FromIterator<A> for Short<A, N> {
    #[inline]
    fn from_iter<I: IntoIterator<Item = A>>(items: I) -> Self {
        let mut more = items.into_iter();
        let mut items: [A; N] = std::array::from_fn(|_| A::default());
        let mut len = 0;
        while len < N {
            let Some(item) = more.next() else { break };
            items[len] = item;
            len += 1;
        }
        let mut list = Short::Inline { len: len as u8, items };
        if len == N {
            more.for_each(|item| list.push(item));
        }
        list
    }
}

impl<A: Copy + Default, const N: usize> From<&[A]> for Short<A, N> {
    #[inline]
    fn from(items: &[A]) -> Self {
        if items.len() > N {
            return Short::Heap(items.to_vec());
        }
        let mut first: [A; N] = std::array::from_fn(|_| A::default());
        first[..items.len()].copy_from_slice(items);
        Short::Inline { len: items.len() as u8, items: first }
    }
}

impl<A, const N: usize> Deref for Short<A, N> {
    type Target = [A];
    #[inline]
    fn deref(&self) -> &[A] {
        match self {
            Short::Inline { len, items } => &items[..usize::from(*len)],
            Short::Heap(list) => list,
        }
    }
}

impl<A, const N: usize> DerefMut for Short<A, N> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [A] {
        match self {
            Short::Inline { len, items } => &mut items[..usize::from(*len)],
            Short::Heap(list) => list,
        }
    }
}

impl<'a, A, const N: usize> IntoIterator for &'a Short<A, N> {
    type Item = &'a A;
    type IntoIter = std::slice::Iter<'a, A>;
    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<A: PartialEq, const N: usize> PartialEq for Short<A, N> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<A: Eq, const N: usize> Eq for Short<A, N> {}

impl<A: Hash, const N: usize> Hash for Short<A, N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<A: fmt::Debug, const N: usize> fmt::Debug for Short<A, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Short;

    #[test]
    fn holds_as_much_as_is_put_in() {
        for n in 0..9 {
            let items: Vec<String> = (0..n).map(|i| i.to_string()).collect();
            let mut list: Short<String, 3> = items.iter().cloned().collect();
            assert_eq!((&list[..], matches!(list, Short::Heap(_))), (&items[..], n > 3));
            assert_eq!(list, list.clone());
            list.iter_mut().for_each(|item| item.push('!'));
            assert!(list.iter().all(|item| item.ends_with('!')));
        }
    }

    #[test]
    fn elements_can_be_inserted_anywhere() {
        for at in 0..4 {
            let mut list: Short<usize, 3> = [1, 2, 3].as_slice().into();
            let mut expected = list.to_vec();
            list.insert(at, 9);
            expected.insert(at, 9);
            assert_eq!(list[..], expected);
        }
    }

    #[test]
    fn equality_does_not_see_where_items_lie() {
        let heap: Short<i32, 2> = Short::Heap(vec![1, 2]);
        assert_eq!(heap, [1, 2].as_slice().into());
        assert_ne!(heap, [1].as_slice().into());
    }
}
