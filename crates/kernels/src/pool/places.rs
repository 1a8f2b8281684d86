//! To the places of the maxima and back: two linear maps, each the transpose of the other.
//!
//! ```text
//! scatter: dx[p, place[p, i]] += g[p, i]      (all else 0)
//! gather:  y[p, i] = x[p, place[p, i]]
//! ```
//!
//! for every plane `p`. [`NOWHERE`] takes and gives nothing.

use super::{NOWHERE, PIECE};
use crate::{Real, parallel};

concrete! {
    <T> trait PlaceKernels;
    /// Adds each `g` at its place of its plane, among zeros: the gradient of a maximum's input. Overwrites `dx`.
    ///
    /// # Panics
    /// If the lengths are no multiples of `planes`, or a place lies outside of the plane.
    pub fn scatter(planes: usize, g: &[T], places: &[u32], dx: &mut [T]) = scatter_impl;
    /// The elements of `x` at given places of their planes, 0 for [`NOWHERE`].
    ///
    /// # Panics
    /// If the lengths are no multiples of `planes`, or a place lies outside of the plane.
    pub fn gather(planes: usize, x: &[T], places: &[u32], y: &mut [T]) = gather_impl;
}

/// The sizes of both kinds of planes, and how many planes a piece of parallel work has.
fn sizes(planes: usize, whole: usize, places: &[u32], picked: usize) -> [usize; 3] {
    assert_eq!(places.len(), picked, "max pooling: as many places as numbers");
    let (size, out) = (whole / planes.max(1), picked / planes.max(1));
    assert!(
        (size * planes, out * planes) == (whole, picked),
        "max pooling: {whole} and {picked} numbers on {planes} planes"
    );
    [size, out, (PIECE / (size + out).max(1)).max(1)]
}

fn scatter_impl<T: Real>(planes: usize, g: &[T], places: &[u32], dx: &mut [T]) {
    let [size, out, together] = sizes(planes, dx.len(), places, g.len());
    if g.is_empty() || dx.is_empty() {
        dx.fill(T::ZERO);
        return;
    }
    parallel::for_each_chunk(dx, together * size, |piece, dx| {
        let start = piece * together * out;
        let planes = g[start..].chunks_exact(out).zip(places[start..].chunks_exact(out));
        for (dx, (g, places)) in dx.chunks_exact_mut(size).zip(planes) {
            dx.fill(T::ZERO);
            for (&g, &place) in g.iter().zip(places).filter(|&(_, &place)| place != NOWHERE) {
                dx[place as usize] += g;
            }
        }
    });
}

fn gather_impl<T: Real>(planes: usize, x: &[T], places: &[u32], y: &mut [T]) {
    let [size, out, together] = sizes(planes, x.len(), places, y.len());
    if y.is_empty() || x.is_empty() {
        y.fill(T::ZERO);
        return;
    }
    parallel::for_each_chunk(y, together * out, |piece, y| {
        let planes =
            x[piece * together * size..].chunks_exact(size).zip(places[piece * together * out..].chunks_exact(out));
        for (y, (x, places)) in y.chunks_exact_mut(out).zip(planes) {
            for (y, &place) in y.iter_mut().zip(places) {
                *y = if place == NOWHERE { T::ZERO } else { x[place as usize] };
            }
        }
    });
}
