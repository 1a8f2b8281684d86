//! To the places of the maxima and back: two linear maps, each the transpose of the other.
//!
//! ```text
//! scatter: dx[p, place[p, i]] += g[p, i]      (all else 0)
//! gather:  y[p, i] = x[p, place[p, i]]
//! ```
//!
//! for every plane `p`. A place is counted from where its window begins, and kept in a byte if no window reaches further.

use super::{NOWHERE, PIECE, Pool2d};
use crate::simd::Kernel;
use crate::{Buffer, Real, parallel};

/// Where the maxima of windows stand.
#[derive(Debug)]
pub struct Places {
    /// The windows from whose first element places count; from the start of the plane if there are none.
    windows: Option<Pool2d>,
    kept: Kept,
}

/// Places; [`NOWHERE`], or its last byte, for a window that holds padding only.
#[derive(Debug)]
enum Kept {
    Words(Buffer<u32>),
    Bytes(Buffer<u8>),
}

impl Places {
    /// Places in planes, row by row.
    pub(super) fn in_planes(places: Buffer<u32>) -> Self {
        Places { windows: None, kept: Kept::Words(places) }
    }

    /// Places in windows.
    pub(super) fn in_windows(geometry: &Pool2d, places: Buffer<u32>) -> Self {
        Places { windows: Some(*geometry), kept: Kept::Words(places) }
    }

    /// Places in windows that are [near](Pool2d::is_near).
    pub(super) fn near(geometry: &Pool2d, places: Buffer<u8>) -> Self {
        Places { windows: Some(*geometry), kept: Kept::Bytes(places) }
    }

    /// How many there are.
    fn len(&self) -> usize {
        match &self.kept {
            Kept::Words(places) => places.len(),
            Kept::Bytes(places) => places.len(),
        }
    }

    /// From where each of the `out` places of a plane counts: modulo 2^64, since a window may begin in the padding.
    fn firsts(&self, out: usize) -> Buffer<usize> {
        let mut firsts = Buffer::zeroed(out);
        if let Some(windows) = self.windows {
            let (width, Pool2d { input, stride, padding, .. }) = (windows.output()[1], windows);
            for (i, first) in firsts.iter_mut().enumerate() {
                let row = (i / width * stride[0]).wrapping_sub(padding[0]);
                *first = row.wrapping_mul(input[1]).wrapping_add(i % width * stride[1]).wrapping_sub(padding[1]);
            }
        }
        firsts
    }

    /// Calls `visit(i, place)` for each of the maxima of a plane, given [`firsts`](Places::firsts).
    #[inline(always)]
    fn each(&self, plane: usize, firsts: &[usize], visit: impl FnMut(usize, Option<usize>)) {
        let range = plane * firsts.len()..(plane + 1) * firsts.len();
        match &self.kept {
            Kept::Words(places) => each(&places[range], NOWHERE, firsts, visit),
            Kept::Bytes(places) => each(&places[range], NOWHERE as u8, firsts, visit),
        }
    }

    /// The places in their planes, one plane after another; `usize::MAX` for a window that holds nothing but padding.
    ///
    /// # Panics
    /// If their number is no multiple of `planes`.
    pub fn indices(&self, planes: usize) -> Vec<usize> {
        let out = self.len() / planes.max(1);
        assert_eq!(out * planes, self.len(), "max pooling: the maxima of another number of planes");
        let (firsts, mut indices) = (self.firsts(out), Vec::with_capacity(self.len()));
        for plane in 0..planes {
            self.each(plane, &firsts, |_, place| indices.push(place.unwrap_or(usize::MAX)));
        }
        indices
    }
}

/// [`Places::each`] for places of either size.
#[inline(always)]
fn each<P: Copy + PartialEq + Into<u32>>(
    places: &[P],
    nowhere: P,
    firsts: &[usize],
    mut visit: impl FnMut(usize, Option<usize>),
) {
    for (i, (&first, &place)) in firsts.iter().zip(places).enumerate() {
        visit(i, (place != nowhere).then(|| first.wrapping_add(place.into() as usize)));
    }
}

impl Pool2d {
    /// How far element `(u, v)` of a window is from the first one, in the plane.
    #[inline(always)]
    pub(super) fn shift(&self, u: usize, v: usize) -> usize {
        u * self.dilation[0] * self.input[1] + v * self.dilation[1]
    }

    /// Whether all shifts fit into a byte, beside [`NOWHERE`].
    pub(super) fn is_near(&self) -> bool {
        self.shift(self.kernel[0] - 1, self.kernel[1] - 1) < u8::MAX as usize
    }
}

/// Makes bytes of places in windows.
pub(super) struct Shorten<'a>(pub(super) &'a [u32], pub(super) &'a mut [u8]);
impl Kernel for Shorten<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        self.1.iter_mut().zip(self.0).for_each(|(near, &place)| *near = place as u8);
    }
}

concrete! {
    <T> trait PlaceKernels;
    /// Adds each `g` at its place of its plane, among zeros: the gradient of a maximum's input. Overwrites `dx`.
    ///
    /// # Panics
    /// If the lengths are no multiples of `planes`, or a place lies outside of the plane.
    pub fn scatter(planes: usize, g: &[T], places: &Places, dx: &mut [T]) = scatter_impl;
    /// The elements of `x` at given places of their planes, 0 where a window holds padding only.
    ///
    /// # Panics
    /// If the lengths are no multiples of `planes`, or a place lies outside of the plane.
    pub fn gather(planes: usize, x: &[T], places: &Places, y: &mut [T]) = gather_impl;
}

/// The sizes of both kinds of planes, and how many planes a piece of parallel work has.
fn sizes(planes: usize, whole: usize, places: &Places, picked: usize) -> [usize; 3] {
    assert_eq!(places.len(), picked, "max pooling: as many places as numbers");
    let (size, out) = (whole / planes.max(1), picked / planes.max(1));
    assert!(
        (size * planes, out * planes) == (whole, picked),
        "max pooling: {whole} and {picked} numbers on {planes} planes"
    );
    [size, out, (PIECE / (size + out).max(1)).max(1)]
}

fn scatter_impl<T: Real>(planes: usize, g: &[T], places: &Places, dx: &mut [T]) {
    let [size, out, together] = sizes(planes, dx.len(), places, g.len());
    if g.is_empty() || dx.is_empty() {
        dx.fill(T::ZERO);
        return;
    }
    let firsts = places.firsts(out);
    parallel::for_each_chunk(dx, together * size, |piece, dx| {
        for (plane, dx) in (piece * together..).zip(dx.chunks_exact_mut(size)) {
            let g = &g[plane * out..][..out];
            dx.fill(T::ZERO);
            places.each(plane, &firsts, |i, place| {
                if let Some(place) = place {
                    dx[place] += g[i];
                }
            });
        }
    });
}

fn gather_impl<T: Real>(planes: usize, x: &[T], places: &Places, y: &mut [T]) {
    let [size, out, together] = sizes(planes, x.len(), places, y.len());
    if y.is_empty() || x.is_empty() {
        y.fill(T::ZERO);
        return;
    }
    let firsts = places.firsts(out);
    parallel::for_each_chunk(y, together * out, |piece, y| {
        for (plane, y) in (piece * together..).zip(y.chunks_exact_mut(out)) {
            let x = &x[plane * size..][..size];
            places.each(plane, &firsts, |i, place| y[i] = place.map_or(T::ZERO, |place| x[place]));
        }
    });
}
