//! The definition of convolution and of its gradients, for tests to compare with.

use super::{Conv2d, Epilogue};
use crate::{Number, Real};

/// Calls `visit(x index, w index, y index)` for every product in the definition.
fn each_product(geometry: &Conv2d, mut visit: impl FnMut(usize, usize, usize)) {
    let Conv2d { input: [h, w], kernel: [kh, kw], stride, padding, dilation, .. } = *geometry;
    let [oh, ow] = geometry.output();
    let (group_in, group_out) = (geometry.group_in(), geometry.group_out());
    for n in 0..geometry.batch {
        for o in 0..geometry.out_channels {
            for (i, j) in (0..oh).flat_map(|i| (0..ow).map(move |j| (i, j))) {
                let y = ((n * geometry.out_channels + o) * oh + i) * ow + j;
                for c in 0..group_in {
                    let channel = o / group_out * group_in + c;
                    for (u, v) in (0..kh).flat_map(|u| (0..kw).map(move |v| (u, v))) {
                        // Positions in the padded image; the image starts at `padding`.
                        let (a, b) = (i * stride[0] + u * dilation[0], j * stride[1] + v * dilation[1]);
                        let inside = |at: usize, d: usize, size: usize| at >= padding[d] && at < padding[d] + size;
                        if inside(a, 0, h) && inside(b, 1, w) {
                            let plane = n * geometry.in_channels + channel;
                            let x = (plane * h + a - padding[0]) * w + b - padding[1];
                            visit(x, ((o * group_in + c) * kh + u) * kw + v, y);
                        }
                    }
                }
            }
        }
    }
}

/// [`forward`](super::forward), one product after another, in `f64`.
pub fn forward<T: Real>(geometry: &Conv2d, x: &[T], w: &[T], epilogue: Epilogue<'_, T>, y: &mut [T]) {
    let [oh, ow] = geometry.output();
    let channel = |at: usize| at / (oh * ow) % geometry.out_channels;
    let mut sums: Vec<f64> = (0..y.len()).map(|at| epilogue.bias.map_or(0.0, |b| b[channel(at)].to_f64())).collect();
    each_product(geometry, |ix, iw, iy| sums[iy] += x[ix].to_f64() * w[iw].to_f64());
    let finish = |sum: f64| if epilogue.relu { Number::maximum(sum, 0.0) } else { sum };
    y.iter_mut().zip(sums).for_each(|(y, sum)| *y = T::from_f64(finish(sum)));
}

/// [`input_grad`](super::input_grad), one product after another, in `f64`.
pub fn input_grad<T: Real>(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) {
    let mut sums = vec![0.0; dx.len()];
    each_product(geometry, |ix, iw, iy| sums[ix] += g[iy].to_f64() * w[iw].to_f64());
    dx.iter_mut().zip(sums).for_each(|(dx, sum)| *dx = T::from_f64(sum));
}

/// [`weight_grad`](super::weight_grad), one product after another, in `f64`.
pub fn weight_grad<T: Real>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    let mut sums = vec![0.0; dw.len()];
    each_product(geometry, |ix, iw, iy| sums[iw] += g[iy].to_f64() * x[ix].to_f64());
    dw.iter_mut().zip(sums).for_each(|(dw, sum)| *dw = T::from_f64(sum));
}
