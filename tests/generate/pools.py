"""Writes fixtures/ops/pools.safetensors: pooling."""

import torch
import torch.nn.functional as F

from common import INF, NAN, case, random, save_operations


def pools():
    # shape, kernel, stride, padding, dilation, ceil_mode
    cases = [
        ((2, 2, 4, 6), 2, 2, 0, 1, False),
        ((1, 2, 5, 5), 2, 2, 0, 1, False),
        ((1, 2, 5, 5), 2, 2, 0, 1, True),
        ((1, 1, 6, 7), 3, 1, 1, 1, False),
        ((1, 2, 7, 6), 3, 2, 1, 1, False),
        ((1, 2, 7, 6), 3, 2, 1, 1, True),
        ((1, 1, 6, 7), (2, 3), (3, 1), (1, 0), 1, False),
        ((1, 1, 6, 8), (3, 2), (2, 3), (1, 1), 1, True),
        ((1, 1, 5, 5), 2, 4, 1, 1, True),  # the last window would begin in the padding
        ((1, 1, 4, 4), 1, 2, 0, 1, True),
        ((1, 3, 3, 4), (3, 4), (3, 4), 0, 1, False),
        ((1, 2, 7, 8), 2, 1, 0, 2, False),
        ((1, 1, 8, 9), 3, 2, 1, 2, False),
        ((1, 1, 8, 9), (3, 2), (2, 3), (1, 1), (2, 3), True),
        ((1, 2, 1, 5), (4, 3), (5, 4), (1, 0), 1, True),  # a window that hangs over the image
        ((1, 1, 2, 4), (2, 3), (2, 3), 0, (2, 2), True),
    ]
    pair = lambda v: list(v) if isinstance(v, tuple) else [v, v]
    for shape, kernel, stride, padding, dilation, ceil_mode in cases:
        params = dict(kernel=pair(kernel), stride=pair(stride), padding=pair(padding), ceil_mode=ceil_mode)
        k, s, p, d = params["kernel"], params["stride"], params["padding"], pair(dilation)
        case("max_pool2d", lambda x: F.max_pool2d(x, k, s, p, d, ceil_mode), random(*shape), dilation=d, **params)
        for count in (True, False):
            if dilation == 1 and (count or padding or ceil_mode):
                f = lambda x: F.avg_pool2d(x, k, s, p, ceil_mode, count)
                case("avg_pool2d", f, random(*shape), count_include_pad=count, **params)
            elif dilation == 1:
                f = lambda x: F.avg_pool2d(x, k, s, p, ceil_mode, True, 3)
                case("avg_pool2d", f, random(*shape), count_include_pad=True, divisor_override=3, **params)
    ties = torch.tensor([[1.0, 1.0, 0.0, 2.0], [1.0, 1.0, 2.0, 2.0], [-INF, -INF, 3.0, 0.0], [-INF, -INF, 0.0, 3.0]])
    params = dict(kernel=[2, 2], stride=[2, 2], padding=[0, 0], dilation=[1, 1], ceil_mode=False)
    case("max_pool2d", lambda x: F.max_pool2d(x, 2), ties.reshape(1, 1, 4, 4), **params)
    for shape in [(2, 4, 4), (0, 2, 4, 4), (1, 1, 2, 2)]:
        case("max_pool2d", lambda x: F.max_pool2d(x, 2), random(*shape), **params)
        case("max_pool2d_with_indices", lambda x: F.max_pool2d(x, 2, return_indices=True), random(*shape), **params)
        more = dict(kernel=[2, 2], stride=[2, 2], padding=[0, 0], ceil_mode=False, count_include_pad=True)
        case("avg_pool2d", lambda x: F.avg_pool2d(x, 2), random(*shape), **more)
    case("max_pool2d_with_indices", lambda x: F.max_pool2d(x, 2, return_indices=True), ties.reshape(1, 4, 4), **params)
    nans = torch.tensor([[NAN, 1.0, 0.0, 2.0], [1.0, NAN, NAN, 2.0]])
    case("max_pool2d", lambda x: F.max_pool2d(x, 2), nans.reshape(1, 1, 2, 4), **params)


def sequences():
    # shape, kernel, stride, padding, dilation, ceil_mode
    for shape, k, s, p, d, ceil_mode in [
        ((2, 3, 8), 2, 2, 0, 1, False),
        ((1, 2, 7), 3, 2, 1, 1, False),
        ((1, 2, 7), 3, 2, 1, 1, True),
        ((1, 1, 5), 2, 4, 1, 1, True),
        ((2, 1, 9), 3, 1, 1, 3, False),
        ((1, 1, 9), 3, 4, 1, 2, True),
        ((2, 1, 3), 5, 3, 0, 1, True),  # a window that hangs over the sequence
        ((3, 6), 4, 3, 2, 1, False),  # no batch
        ((1, 1, 1), 1, 1, 0, 1, False),
        ((0, 2, 4), 2, 2, 0, 1, False),
    ]:
        params = dict(kernel=[k], stride=[s], padding=[p], ceil_mode=ceil_mode)
        case("max_pool1d", lambda x: F.max_pool1d(x, k, s, p, d, ceil_mode), random(*shape), dilation=[d], **params)
        f = lambda x: F.max_pool1d(x, k, s, p, d, ceil_mode, return_indices=True)
        case("max_pool1d_with_indices", f, random(*shape), dilation=[d], **params)
        for count in (True, False):
            if d == 1 and (count or p or ceil_mode):
                f = lambda x: F.avg_pool1d(x, k, s, p, ceil_mode, count)
                case("avg_pool1d", f, random(*shape), count_include_pad=count, **params)


def adaptive():
    images = [((2, 3, 6, 4), [3, 2]), ((1, 2, 5, 7), [3, 3]), ((1, 2, 5, 3), [1, 1]), ((1, 1, 3, 4), [7, 5]), ((2, 5, 4), [2, 4])]
    images += [((1, 2, 7, 1), [1, 3]), ((1, 1, 1, 1), [1, 1]), ((0, 2, 3, 3), [2, 2])]
    sequences = [((2, 3, 6), 3), ((1, 2, 7), 3), ((1, 2, 5), 1), ((1, 1, 3), 8), ((2, 5), 4), ((1, 1, 1), 1), ((0, 2, 3), 2)]
    for dims, cases in (1, sequences), (2, images):
        for shape, output in cases:
            name = f"adaptive_avg_pool{dims}d"
            case(name, lambda x: getattr(F, name)(x, output), random(*shape), output=output)
            name = f"adaptive_max_pool{dims}d"
            case(name, lambda x: getattr(F, name)(x, output), random(*shape), output=output)
            if 0 not in shape:
                f = lambda x: getattr(F, name)(x, output, return_indices=True)
                case(name + "_with_indices", f, random(*shape), output=output)
    odd = torch.tensor([1.0, NAN, 2.0, 3.0, 3.0, -INF, -INF, -INF, INF]).reshape(1, 9)
    case("adaptive_max_pool1d_with_indices", lambda x: F.adaptive_max_pool1d(x, 4, return_indices=True), odd, output=4)


if __name__ == "__main__":
    pools()
    sequences()
    adaptive()
    save_operations("pools")
