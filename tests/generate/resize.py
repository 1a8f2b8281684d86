"""Writes fixtures/ops/resize.safetensors: images and sequences in other sizes."""

import torch
import torch.nn.functional as F

from common import INF, NAN, case, random, save_operations


def interpolations():
    sequences = [
        ((2, 2, 4), dict(size=[8])), ((1, 2, 5), dict(size=[3])), ((1, 1, 7), dict(size=[10])), ((1, 2, 3), dict(size=[1])),
        ((1, 1, 1), dict(size=[4])), ((1, 1, 6), dict(size=[6])), ((1, 2, 4), dict(scale_factor=[2.0])),
        ((1, 1, 5), dict(scale_factor=[1.7])), ((1, 1, 7), dict(scale_factor=[0.6])), ((0, 2, 3), dict(size=[5])),
    ]
    images = [
        ((2, 2, 3, 2), dict(size=[6, 4])), ((1, 2, 5, 4), dict(size=[3, 7])), ((1, 1, 2, 3), dict(size=[5, 5])),
        ((1, 1, 3, 3), dict(size=[1, 1])), ((1, 2, 1, 3), dict(size=[2, 3])), ((1, 1, 4, 5), dict(scale_factor=[2.0, 2.0])),
        ((1, 1, 4, 5), dict(scale_factor=[1.3, 0.5])), ((1, 2, 6, 4), dict(scale_factor=[0.34, 2.6])), ((0, 2, 2, 2), dict(size=[4, 3])),
    ]
    for linear, cases in ("linear", sequences), ("bilinear", images):
        for shape, size in cases:
            for mode, align in ("nearest", None), (linear, False), (linear, True):
                f = lambda x: F.interpolate(x, **size, mode=mode, align_corners=align)
                case("interpolate", f, random(*shape), **size, align_corners=align)
    odd = torch.tensor([1.0, INF, 3.0, NAN, 2.0]).reshape(1, 1, 5)
    for mode, align in ("nearest", None), ("linear", False), ("linear", True):
        f = lambda x: F.interpolate(x, size=7, mode=mode, align_corners=align)
        case("interpolate", f, odd, size=[7], align_corners=align)


def shuffles():
    for shape, r in [((2, 4, 2, 3), 2), ((9, 1, 2), 3), ((1, 2, 3, 2, 2), 1), ((2, 1, 8, 1, 2), 2)]:
        case("pixel_shuffle", lambda x: F.pixel_shuffle(x, r), random(*shape), factor=r)
    for shape, r in [((2, 1, 4, 6), 2), ((2, 3, 6), 3), ((1, 2, 2, 3), 1), ((2, 1, 2, 2, 4), 2)]:
        case("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, r), random(*shape), factor=r)


if __name__ == "__main__":
    interpolations()
    shuffles()
    save_operations("resize")
