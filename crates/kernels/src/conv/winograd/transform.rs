//! The transforms of F(4x4, 3x3): what turns a 3x3 convolution of a tile into 36 plain products.
//!
//! ```text
//! y = A^T [ (G w G^T) * (B^T x B) ] A         6x6 inputs x, 3x3 weights w, 4x4 outputs y; * element by element
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
//! 5/8 and 3/2 round much less, and `A` and `B` stay exact.
//!
//! The gradients are the transposes: `dU = (B^T x B) * (A g A^T)` and `dw = G^T dU G`.
//! Each transform is one formula along a line of the tile, applied to rows and then to columns, for as many channels as a
//! register holds.
//!
//! Sources: A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks", CVPR 2016; B. Barabasz et al.,
//! "Error analysis and improving the accuracy of Winograd convolution for deep neural networks", ACM TOMS 46 (2020).

// Plain indices show which element of a tile meets which.
#![allow(clippy::needless_range_loop)]

use crate::Real;
use crate::gemm::Lane;

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
pub(super) unsafe fn input<L: Lane>(d: [L; 6]) -> [L; 6] {
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
pub(super) unsafe fn output<L: Lane>(m: [L; 6]) -> [L; 4] {
    // SAFETY: the caller's.
    unsafe {
        let (even_a, odd_a) = (m[1].add(m[2]), plus(m[1], -1.0, m[2]));
        let (even_b, odd_b) = (m[3].add(m[4]), plus(m[3], -1.0, m[4]));
        [
            m[0].add(even_a).add(even_b),
            plus(times(A, odd_a), B, odd_b),
            plus(times(AA, even_a), BB, even_b),
            plus(plus(m[5], AA * A, odd_a), BB * B, odd_b),
        ]
    }
}

/// `A g`, the transpose of [`output`].
#[inline(always)]
pub(super) unsafe fn output_grad<L: Lane>(g: [L; 4]) -> [L; 6] {
    // SAFETY: the caller's.
    unsafe {
        let (even_a, odd_a) = (plus(g[0], AA, g[2]), plus(g[1], AA, g[3]));
        let (even_b, odd_b) = (plus(g[0], BB, g[2]), plus(g[1], BB, g[3]));
        [g[0], plus(even_a, A, odd_a), plus(even_a, -A, odd_a), plus(even_b, B, odd_b), plus(even_b, -B, odd_b), g[3]]
    }
}

/// `G w`.
#[inline(always)]
pub(super) unsafe fn weight<L: Lane>(w: [L; 3]) -> [L; 6] {
    // SAFETY: the caller's.
    unsafe {
        let even_a = plus(times(AT_A, w[0]), AT_A * AA, w[2]);
        let even_b = plus(times(AT_B, w[0]), AT_B * BB, w[2]);
        [
            times(AT_0, w[0]),
            plus(even_a, AT_A * A, w[1]),
            plus(even_a, -AT_A * A, w[1]),
            plus(even_b, AT_B * B, w[1]),
            plus(even_b, -AT_B * B, w[1]),
            w[2],
        ]
    }
}

/// `G^T u`, the transpose of [`weight`].
#[inline(always)]
pub(super) unsafe fn weight_grad<L: Lane>(u: [L; 6]) -> [L; 3] {
    // SAFETY: the caller's.
    unsafe {
        let (even_a, odd_a) = (u[1].add(u[2]), plus(u[1], -1.0, u[2]));
        let (even_b, odd_b) = (u[3].add(u[4]), plus(u[3], -1.0, u[4]));
        [
            plus(plus(times(AT_0, u[0]), AT_A, even_a), AT_B, even_b),
            plus(times(AT_A * A, odd_a), AT_B * B, odd_b),
            plus(plus(u[5], AT_A * AA, even_a), AT_B * BB, even_b),
        ]
    }
}

/// Applies a formula to the rows of an `N x N` tile, then to the columns of what comes out.
//
// Loops, no closures: those may be compiled apart, without the registers of the level.
macro_rules! both_ways {
    ($(#[$meta:meta])* $name:ident: $formula:ident, $n:literal, $m:literal) => {
        $(#[$meta])*
        #[inline(always)]
        pub(super) unsafe fn $name<L: Lane>(tile: [[L; $n]; $n]) -> [[L; $m]; $m] {
            // SAFETY: the caller's.
            unsafe {
                let zero = L::splat(L::Num::ZERO);
                let (mut columns, mut out) = ([[zero; $n]; $m], [[zero; $m]; $m]);
                for i in 0..$n {
                    let row = $formula(tile[i]);
                    for j in 0..$m {
                        columns[j][i] = row[j];
                    }
                }
                for j in 0..$m {
                    let column = $formula(columns[j]);
                    for i in 0..$m {
                        out[i][j] = column[i];
                    }
                }
                out
            }
        }
    };
}

both_ways!(/** `A^T m A`. */ output_tile: output, 6, 4);
both_ways!(/** `G w G^T`. */ weight_tile: weight, 3, 6);
both_ways!(/** `G^T u G`. */ weight_grad_tile: weight_grad, 6, 3);
