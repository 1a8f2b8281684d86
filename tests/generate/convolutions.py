"""Writes fixtures/ops/convolutions.safetensors: convolutions and transposed convolutions."""

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
    for i, (xs, ws, stride, padding, dilation, groups) in enumerate([
        ((2, 3, 7), (4, 3, 3), 1, 0, 1, 1),
        ((1, 2, 8), (3, 2, 3), 2, 1, 1, 1),
        ((1, 2, 9), (2, 2, 2), 3, 2, 4, 1),
        ((2, 4, 5), (6, 2, 3), 1, 1, 1, 2),
        ((1, 3, 6), (6, 1, 3), 1, 2, 2, 3),  # depthwise with a multiplier
        ((1, 3, 6), (2, 3, 1), 2, 0, 1, 1),
        ((1, 2, 3), (2, 2, 5), 1, 2, 1, 1),  # the window is larger than the sequence
        ((3, 5), (2, 3, 2), 1, 1, 1, 1),  # no batch
        ((1, 1, 1), (1, 1, 1), 1, 0, 1, 1),
        ((0, 2, 4), (3, 2, 2), 1, 0, 1, 1),
    ]):
        x, w = random(*xs), random(*ws, low=-1, high=1)
        bias = [random(ws[0])] if i % 2 or 0 in xs else []
        params = dict(stride=[stride], padding=[padding], dilation=[dilation], groups=groups)
        case("conv1d", lambda x, w, b=None: F.conv1d(x, w, b, **params), x, w, *bias, **params)
    for xs, ws in [((2, 5, 4), (3, 2, 3, 3)), ((2, 4, 4), (2, 1, 3, 2))]:
        params = dict(stride=[1, 1], padding=[1, 0], dilation=[1, 1], groups=xs[0] // ws[1])
        x, w, b = random(*xs), random(*ws, low=-1, high=1), random(ws[0])
        case("conv2d", lambda x, w, b: F.conv2d(x, w, b, **params), x, w, b, **params)


def transposed_convolutions():
    # x, w, stride, padding, output padding, dilation, groups
    sequences = [
        ((2, 3, 4), (3, 2, 3), 1, 0, 0, 1, 1),
        ((1, 2, 4), (2, 3, 3), 2, 1, 1, 1, 1),
        ((1, 2, 3), (2, 2, 4), 3, 2, 2, 2, 1),
        ((2, 4, 3), (4, 3, 2), 2, 0, 1, 1, 2),
        ((1, 3, 4), (3, 2, 3), 1, 2, 0, 2, 3),
        ((1, 2, 4), (2, 1, 3), 1, 1, 2, 3, 1),  # an output padding of the stride and more
        ((1, 2, 3), (2, 2, 2), 2, 0, 3, 4, 2),
        ((1, 2, 3), (2, 2, 2), 4, 0, 0, 1, 1),  # gaps between the windows
        ((3, 4), (3, 2, 3), 2, 1, 0, 1, 1),  # no batch
        ((1, 1, 1), (1, 1, 1), 1, 0, 0, 1, 1),
        ((0, 2, 3), (2, 3, 2), 1, 0, 0, 1, 1),
    ]
    images = [
        ((2, 3, 3, 2), (3, 2, 3, 3), 1, 0, 0, 1, 1),
        ((1, 2, 3, 4), (2, 3, 3, 3), 2, 1, 1, 1, 1),
        ((1, 2, 3, 3), (2, 3, 4, 4), 2, 1, 0, 1, 1),  # the generator of a net that draws
        ((1, 2, 3, 2), (2, 2, 2, 3), (2, 3), (1, 2), (1, 0), (3, 2), 1),
        ((1, 2, 3, 3), (2, 2, 3, 3), 1, 1, 0, 1, 1),
        ((1, 4, 2, 3), (4, 3, 3, 2), (2, 1), (0, 1), (1, 0), 1, 2),
        ((1, 3, 3, 3), (3, 1, 3, 3), 2, 1, 1, 1, 3),
        ((1, 2, 3, 2), (2, 2, 3, 2), 1, (2, 0), (1, 2), (2, 3), 2),
        ((1, 2, 2, 3), (2, 3, 1, 1), 1, 0, 0, 1, 1),
        ((1, 2, 2, 3), (2, 3, 1, 1), 2, 0, 1, 1, 1),
        ((2, 3, 2), (2, 2, 2, 2), 2, 0, 0, 1, 1),
        ((1, 1, 1, 1), (1, 1, 1, 1), 1, 0, 0, 1, 1),
        ((0, 2, 2, 2), (2, 1, 2, 2), 1, 0, 0, 1, 1),
    ]
    for dims, cases in (1, sequences), (2, images):
        f = getattr(F, f"conv_transpose{dims}d")
        each = lambda v: list(v) if isinstance(v, tuple) else [v] * dims
        for i, (xs, ws, stride, padding, output_padding, dilation, groups) in enumerate(cases):
            x, w = random(*xs), random(*ws, low=-1, high=1)
            bias = [random(ws[1] * groups)] if i % 2 else []
            params = dict(stride=each(stride), padding=each(padding), output_padding=each(output_padding))
            params |= dict(dilation=each(dilation), groups=groups)
            case(f"conv_transpose{dims}d", lambda x, w, b=None: f(x, w, b, **params), x, w, *bias, **params)


if __name__ == "__main__":
    convolutions()
    transposed_convolutions()
    save_operations("convolutions")
