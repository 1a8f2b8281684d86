//! The transforms of F(MxM, KxK), M + K = 7: what turns the convolution of a tile into 36 plain products.
//!
//! ```text
//! y = A^T [ (G w G^T) * (B^T x B) ] A         6x6 inputs x, KxK weights w, MxM outputs y; * element by element. For K = 3:
//!
//!       | aabb    0   -aa-bb   0    1  0 |        | 1/aabb                |        | 1   1    1    1    1  0 |
//!       |   0   -abb   -bb     a    1  0 |        | (1  a  aa) / n(a,b)   |  A^T = | 0   a   -a    b   -b  0 |
//! B^T = |   0    abb   -bb    -a    1  0 |    G = | (1 -a  aa) / n(a,b)   |        | 0  aa   aa   bb   bb  0 |
//!       |   0   -aab   -aa     b    1  0 |        | (1  b  bb) / n(b,a)   |        | 0 aaa -aaa  bbb -bbb  1 |
//!       |   0    aab   -aa    -b    1  0 |        | (1 -b  bb) / n(b,a)   |
//!       |   0   aabb    0   -aa-bb  0  1 |        |            1          |     n(a,b) = 2 aa (aa - bb)
//! ```
//!
//! These multiply polynomials by their values at the points 0, a, -a, b, -b and infinity. The common choice is 1 and 2;
//! 5/8 and 3/2 round much less, and `A` and `B` stay exact. Other sizes have more or fewer powers: `B` is the same for all, row i of
//! `A^T` holds the i-th powers, and so does column i of `G`; infinity meets the last of them.
//!
//! The gradients are the transposes: `dU = (B^T x B) * (A g A^T)` and `dw = G^T dU G`.
//! Each transform is one formula along a line of the tile, applied to rows and then to columns, for as many channels as a
//! register holds.
//!
//! Sources: A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks", CVPR 2016; B. Barabasz et al.,
//! "Error analysis and improving the accuracy of Winograd convolution for deep neural networks", ACM TOMS 46 (2020).

// Plain indices show which element of a tile meets which.
#![allow(clippy::needless_range_loop)]

use crate::Number;
use crate::gemm::Lane;

/// Rows and columns of a transformed tile.
pub(super) const SIDE: usize = 6;

/// The points of the polynomials, and their squares.
const A: f64 = 0.625;
const B: f64 = 1.5;
const AA: f64 = A * A;
const BB: f64 = B * B;
/// The divisors of the weights at 0, `A` and `B`.
const AT_0: f64 = 1.0 / (AA * BB);
const AT_A: f64 = 1.0 / (2.0 * AA * (AA - BB));
const AT_B: f64 = 1.0 / (2.0 * BB * (BB - AA));

/// `x + c y` with a constant.
///
/// # Safety
/// `L` is entered, here and below.
#[inline(always)]
unsafe fn plus<L: Lane>(x: L, c: f64, y: L) -> L {
    // SAFETY: the caller's.
    unsafe { x.add_product(L::splat(L::Num::from_f64(c)), y) }
}

/// `c x`.
#[inline(always)]
unsafe fn times<L: Lane>(c: f64, x: L) -> L {
    // SAFETY: the caller's.
    unsafe { plus(L::splat(L::Num::ZERO), c, x) }
}

/// `B^T d`.
#[inline(always)]
pub(super) unsafe fn input<L: Lane>(d: [L; SIDE]) -> [L; SIDE] {
    // SAFETY: the caller's.
    unsafe {
        let (even_a, odd_a) = (plus(d[4], -BB, d[2]), plus(d[3], -BB, d[1]));
        let (even_b, odd_b) = (plus(d[4], -AA, d[2]), plus(d[3], -AA, d[1]));
        [
            plus(plus(d[4], -AA - BB, d[2]), AA * BB, d[0]),
            plus(even_a, A, odd_a),
            plus(even_a, -A, odd_a),
            plus(even_b, B, odd_b),
            plus(even_b, -B, odd_b),
            plus(plus(d[5], -AA - BB, d[3]), AA * BB, d[1]),
        ]
    }
}

/// `A^T m`.
#[inline(always)]
pub(super) unsafe fn output<L: Lane, const M: usize>(m: [L; SIDE]) -> [L; M] {
    // SAFETY: the caller's.
    unsafe {
        let even = [m[1].add(m[2]), m[3].add(m[4])];
        let odd = [plus(m[1], -1.0, m[2]), plus(m[3], -1.0, m[4])];
        let mut all = [L::splat(L::Num::ZERO); M];
        (all[0], all[M - 1]) = (m[0], m[5]);
        let (mut a, mut b) = (1.0, 1.0);
        for i in 0..M {
            let [at_a, at_b] = if i % 2 == 0 { even } else { odd };
            all[i] = plus(plus(all[i], a, at_a), b, at_b);
            (a, b) = (a * A, b * B);
        }
        all
    }
}

/// `A g`, the transpose of [`output`].
#[inline(always)]
pub(super) unsafe fn output_grad<L: Lane, const M: usize>(g: [L; M]) -> [L; SIDE] {
    // SAFETY: the caller's.
    unsafe {
        let (mut even_a, mut even_b, mut odd_a, mut odd_b) = (g[0], g[0], g[1], g[1]);
        let (mut a, mut b) = (1.0, 1.0);
        for i in 2..M {
            if i % 2 == 0 {
                (a, b) = (a * AA, b * BB);
                (even_a, even_b) = (plus(even_a, a, g[i]), plus(even_b, b, g[i]));
            } else {
                (odd_a, odd_b) = (plus(odd_a, a, g[i]), plus(odd_b, b, g[i]));
            }
        }
        [
            g[0],
            plus(even_a, A, odd_a),
            plus(even_a, -A, odd_a),
            plus(even_b, B, odd_b),
            plus(even_b, -B, odd_b),
            g[M - 1],
        ]
    }
}

/// `G w`.
#[inline(always)]
pub(super) unsafe fn weight<L: Lane, const K: usize>(w: [L; K]) -> [L; SIDE] {
    // SAFETY: the caller's.
    unsafe {
        let (mut even_a, mut even_b) = (times(AT_A, w[0]), times(AT_B, w[0]));
        let (mut a, mut b) = (AT_A, AT_B);
        for i in 1..K {
            (a, b) = (a * A, b * B);
            if i % 2 == 0 {
                (even_a, even_b) = (plus(even_a, a, w[i]), plus(even_b, b, w[i]));
            }
        }
        let mut all = [times(AT_0, w[0]), even_a, even_a, even_b, even_b, w[K - 1]];
        let (mut a, mut b) = (AT_A, AT_B);
        for i in 1..K {
            (a, b) = (a * A, b * B);
            if i % 2 == 1 {
                all[1] = plus(all[1], a, w[i]);
                all[2] = plus(all[2], -a, w[i]);
                all[3] = plus(all[3], b, w[i]);
                all[4] = plus(all[4], -b, w[i]);
            }
        }
        all
    }
}

/// `G^T u`, the transpose of [`weight`].
#[inline(always)]
pub(super) unsafe fn weight_grad<L: Lane, const K: usize>(u: [L; SIDE]) -> [L; K] {
    // SAFETY: the caller's.
    unsafe {
        let even = [u[1].add(u[2]), u[3].add(u[4])];
        let odd = [plus(u[1], -1.0, u[2]), plus(u[3], -1.0, u[4])];
        let mut all = [L::splat(L::Num::ZERO); K];
        (all[0], all[K - 1]) = (times(AT_0, u[0]), u[5]);
        let (mut a, mut b) = (AT_A, AT_B);
        for i in 0..K {
            let [at_a, at_b] = if i % 2 == 0 { even } else { odd };
            all[i] = plus(plus(all[i], a, at_a), b, at_b);
            (a, b) = (a * A, b * B);
        }
        all
    }
}

/// Applies a formula to the rows of an `N x N` tile, then to the columns of what comes out.
//
// Loops, no closures: those may be compiled apart, without the registers of the level.
macro_rules! both_ways {
    ($(#[$meta:meta])* $name:ident<$size:ident>: $formula:ident, $n:ident, $m:ident) => {
        $(#[$meta])*
        #[inline(always)]
        pub(super) unsafe fn $name<L: Lane, const $size: usize>(tile: [[L; $n]; $n]) -> [[L; $m]; $m] {
            // SAFETY: the caller's.
            unsafe {
                let zero = L::splat(L::Num::ZERO);
                let (mut columns, mut out) = ([[zero; $n]; $m], [[zero; $m]; $m]);
                for i in 0..$n {
                    let row: [L; $m] = $formula(tile[i]);
                    for j in 0..$m {
                        columns[j][i] = row[j];
                    }
                }
                for j in 0..$m {
                    let column: [L; $m] = $formula(columns[j]);
                    for i in 0..$m {
                        out[i][j] = column[i];
                    }
                }
                out
            }
        }
    };
}

both_ways!(/** `A^T m A`. */ output_tile<M>: output, SIDE, M);
both_ways!(/** `G w G^T`. */ weight_tile<K>: weight, K, SIDE);
both_ways!(/** `G^T u G`. */ weight_grad_tile<K>: weight_grad, SIDE, K);
