//! Images and sequences in other sizes.

use super::Results;
use chainrule_tensor::ops::{Interpolation, Resize};
use chainrule_tensor::{Real, Tensor};
use chainrule_tests::fixture::Params;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    let y = match op {
        "interpolate" => {
            let size = p.find("size").map_or_else(|| Resize::By(p.get("scale_factor")), Resize::To);
            let align_corners: Option<bool> = p.get("align_corners");
            let linear = |align_corners| Interpolation::Linear { align_corners };
            x[0].interpolate(size, align_corners.map_or(Interpolation::Nearest, linear))
        }
        "pixel_shuffle" => x[0].pixel_shuffle(p.get("factor")),
        "pixel_unshuffle" => x[0].pixel_unshuffle(p.get("factor")),
        _ => return None,
    };
    Some((y, Vec::new()))
}
