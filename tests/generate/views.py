"""Writes fixtures/ops/views.safetensors: operations that move elements."""

import torch

from common import case, random, save_operations


def views():
    for shape, to in [((3, 4), [2, 6]), ((2, 3, 4), [-1]), ((6,), [2, 1, 3]), ((1,), [])]:
        case("reshape", lambda x: x.reshape(to), random(*shape), shape=to)
    for shape, dims in [((3, 4), [1, 0]), ((2, 3, 4), [2, 0, 1]), ((2, 1, 3, 2), [0, 2, 3, 1])]:
        case("permute", lambda x: x.permute(dims), random(*shape), dims=dims)
    for shape, to in [((3,), [2, 3]), ((2, 1, 3), [2, 4, 3]), ((), [2, 2]), ((1, 1), [3, 4])]:
        case("broadcast_to", lambda x: x.broadcast_to(to), random(*shape), shape=to)
    for shape, dim, start, end, step in [((7,), 0, 1, 6, 2), ((3, 5), 1, 2, 5, 1), ((4, 2, 3), 0, 1, 4, 3), ((3, 4), -1, 0, 4, 3)]:
        index = [slice(None)] * len(shape)
        index[dim] = slice(start, end, step)
        case("slice", lambda x: x[tuple(index)], random(*shape), dim=dim, start=start, end=end, step=step)
    case("select", lambda x: x.select(1, 2), random(2, 4, 3), dim=1, index=2)
    case("flatten", lambda x: x.flatten(1), random(2, 3, 2), start=1)
    for shapes, dim in [([(2, 3), (1, 3), (4, 3)], 0), ([(2, 3), (2, 1)], -1), ([(2, 1, 2), (2, 3, 2), (2, 2, 2)], 1)]:
        case("cat", lambda *x: torch.cat(x, dim), *[random(*s) for s in shapes], dim=dim)
    for dim in [0, 1, -1]:
        case("stack", lambda *x: torch.stack(x, dim), random(2, 3), random(2, 3), dim=dim)


if __name__ == "__main__":
    views()
    save_operations("views")
