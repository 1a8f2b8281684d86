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
    ties = torch.tensor([[1.0, 1.0, 0.0, 2.0], [1.0, 1.0, 2.0, 2.0], [-INF, -INF, 3.0, 0.0], [-INF, -INF, 0.0, 3.0]])
    params = dict(kernel=[2, 2], stride=[2, 2], padding=[0, 0], dilation=[1, 1], ceil_mode=False)
    case("max_pool2d", lambda x: F.max_pool2d(x, 2), ties.reshape(1, 1, 4, 4), **params)
    nans = torch.tensor([[NAN, 1.0, 0.0, 2.0], [1.0, NAN, NAN, 2.0]])
    case("max_pool2d", lambda x: F.max_pool2d(x, 2), nans.reshape(1, 1, 2, 4), **params)


if __name__ == "__main__":
    pools()
    save_operations("pools")
