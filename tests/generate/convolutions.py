"""Writes fixtures/ops/convolutions.safetensors: convolutions."""

import torch.nn.functional as F

from common import case, random, save_operations


def convolutions():
    # x, w, stride, padding, dilation, groups
    cases = [
        ((2, 3, 5, 5), (4, 3, 3, 3), 1, 0, 1, 1),
        ((2, 3, 5, 4), (4, 3, 3, 3), 1, 1, 1, 1),
        ((1, 2, 5, 6), (3, 2, 1, 1), 1, 0, 1, 1),
        ((1, 2, 5, 6), (3, 2, 1, 1), 2, 0, 1, 1),
        ((1, 2, 6, 7), (3, 2, 3, 2), (2, 1), (1, 0), 1, 1),
        ((1, 2, 7, 7), (2, 2, 3, 3), 2, 1, 1, 1),
        ((1, 2, 7, 8), (2, 2, 3, 3), 1, 2, 2, 1),
        ((1, 2, 8, 7), (2, 2, 2, 3), (2, 3), (1, 2), (3, 2), 1),
        ((2, 4, 5, 5), (6, 2, 3, 3), 1, 1, 1, 2),
        ((1, 3, 6, 6), (3, 1, 3, 3), 1, 1, 1, 3),  # depthwise
        ((2, 3, 6, 5), (6, 1, 3, 3), 2, 1, 1, 3),  # depthwise with a multiplier
        ((1, 2, 8, 8), (2, 1, 5, 5), 1, 2, 1, 2),
        ((1, 4, 9, 9), (4, 2, 3, 3), 2, 2, 2, 2),
        ((1, 2, 11, 10), (2, 2, 7, 7), 2, 3, 1, 1),  # the stem of a residual net
        ((1, 1, 3, 3), (1, 1, 3, 3), 1, 0, 1, 1),
        ((1, 2, 3, 3), (2, 2, 3, 3), 1, 2, 1, 1),
        ((1, 16, 4, 4), (16, 16, 3, 3), 1, 1, 1, 1),  # many channels: Winograd
        ((1, 2, 1, 6), (2, 2, 1, 3), 1, (0, 1), 1, 1),
        ((0, 2, 4, 4), (2, 2, 3, 3), 1, 1, 1, 1),
    ]
    pair = lambda v: list(v) if isinstance(v, tuple) else [v, v]
    for i, (xs, ws, stride, padding, dilation, groups) in enumerate(cases):
        x, w = random(*xs), random(*ws, low=-1, high=1)
        bias = [random(ws[0])] if i % 2 else []
        params = dict(stride=pair(stride), padding=pair(padding), dilation=pair(dilation), groups=groups)
        case("conv2d", lambda x, w, b=None: F.conv2d(x, w, b, **params), x, w, *bias, **params)


if __name__ == "__main__":
    convolutions()
    save_operations("convolutions")
