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
//! Each transform is one formula along a column of the tile, applied to columns and then to rows, for [`LANES`]
//! channels at once.
//!
//! Sources: A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks", CVPR 2016; B. Barabasz et al.,
//! "Error analysis and improving the accuracy of Winograd convolution for deep neural networks", ACM TOMS 46 (2020).

use crate::Real;

/// Channels that are transformed side by side.
pub(super) const LANES: usize = 16;
/// One number for each channel.
pub(super) type Lanes<T> = [T; LANES];

/// The points of the polynomials, and their squares.
const A: f64 = 0.625;
const B: f64 = 1.5;
const AA: f64 = A * A;
const BB: f64 = B * B;
/// The divisors of the weights at 0, `A` and `B`.
const AT_0: f64 = 1.0 / (AA * BB);
const AT_A: f64 = 1.0 / (2.0 * AA * (AA - BB));
const AT_B: f64 = 1.0 / (2.0 * BB * (BB - AA));

/// A constant of the transforms.
#[inline(always)]
fn real<T: Real>(x: f64) -> T {
    T::from_f64(x)
}

/// `B^T d`.
#[inline(always)]
fn input<T: Real>(d: [T; 6]) -> [T; 6] {
    let (aa, bb, product, sum) = (real::<T>(AA), real::<T>(BB), real::<T>(AA * BB), real::<T>(AA + BB));
    let (even_a, odd_a) = (d[4] - bb * d[2], real::<T>(A) * (d[3] - bb * d[1]));
    let (even_b, odd_b) = (d[4] - aa * d[2], real::<T>(B) * (d[3] - aa * d[1]));
    [
        product * d[0] - sum * d[2] + d[4],
        even_a + odd_a,
        even_a - odd_a,
        even_b + odd_b,
        even_b - odd_b,
        product * d[1] - sum * d[3] + d[5],
    ]
}

/// `A^T m`.
#[inline(always)]
fn output<T: Real>(m: [T; 6]) -> [T; 4] {
    let (even_a, odd_a) = (m[1] + m[2], real::<T>(A) * (m[1] - m[2]));
    let (even_b, odd_b) = (m[3] + m[4], real::<T>(B) * (m[3] - m[4]));
    let (aa, bb) = (real::<T>(AA), real::<T>(BB));
    [m[0] + even_a + even_b, odd_a + odd_b, aa * even_a + bb * even_b, aa * odd_a + bb * odd_b + m[5]]
}

/// `A g`, the transpose of [`output`].
#[inline(always)]
fn output_grad<T: Real>(g: [T; 4]) -> [T; 6] {
    let (aa, bb) = (real::<T>(AA), real::<T>(BB));
    let (even_a, odd_a) = (g[0] + aa * g[2], real::<T>(A) * (g[1] + aa * g[3]));
    let (even_b, odd_b) = (g[0] + bb * g[2], real::<T>(B) * (g[1] + bb * g[3]));
    [g[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, g[3]]
}

/// `G w`.
#[inline(always)]
fn weight<T: Real>(w: [T; 3]) -> [T; 6] {
    let (even_a, odd_a) = (real::<T>(AT_A) * w[0] + real::<T>(AT_A * AA) * w[2], real::<T>(AT_A * A) * w[1]);
    let (even_b, odd_b) = (real::<T>(AT_B) * w[0] + real::<T>(AT_B * BB) * w[2], real::<T>(AT_B * B) * w[1]);
    [real::<T>(AT_0) * w[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, w[2]]
}

/// `G^T u`, the transpose of [`weight`].
#[inline(always)]
fn weight_grad<T: Real>(u: [T; 6]) -> [T; 3] {
    let (even_a, odd_a, even_b, odd_b) = (u[1] + u[2], u[1] - u[2], u[3] + u[4], u[3] - u[4]);
    [
        real::<T>(AT_0) * u[0] + real::<T>(AT_A) * even_a + real::<T>(AT_B) * even_b,
        real::<T>(AT_A * A) * odd_a + real::<T>(AT_B * B) * odd_b,
        real::<T>(AT_A * AA) * even_a + real::<T>(AT_B * BB) * even_b + u[5],
    ]
}

/// Applies a formula to the columns of an `N x N` tile, and to the rows of the result: `to` is `M x M`. `from(i, j)` gives
/// an element of the tile, `half` is room for the result of the first step.
macro_rules! both_ways {
    ($(#[$meta:meta])* $name:ident: $formula:ident, $n:literal, $m:literal) => {
        $(#[$meta])*
        #[inline(always)]
        pub(super) fn $name<'a, T: Real>(
            from: impl Fn(usize, usize) -> &'a Lanes<T>,
            half: &mut [Lanes<T>; 36],
            to: &mut [Lanes<T>; $m * $m],
        ) {
            for j in 0..$n {
                let column: [&Lanes<T>; $n] = std::array::from_fn(|i| from(i, j));
                for l in 0..LANES {
                    let column = $formula(column.map(|x| x[l]));
                    for i in 0..$m {
                        half[i * $n + j][l] = column[i];
                    }
                }
            }
            for i in 0..$m {
                for l in 0..LANES {
                    let row = $formula(std::array::from_fn(|j| half[i * $n + j][l]));
                    for j in 0..$m {
                        to[i * $m + j][l] = row[j];
                    }
                }
            }
        }
    };
}

both_ways!(/** `B^T x B`. */ input_tile: input, 6, 6);
both_ways!(/** `A^T m A`. */ output_tile: output, 6, 4);
both_ways!(/** `A g A^T`. */ output_grad_tile: output_grad, 4, 6);
both_ways!(/** `G w G^T`. */ weight_tile: weight, 3, 6);
both_ways!(/** `G^T u G`. */ weight_grad_tile: weight_grad, 6, 3);
