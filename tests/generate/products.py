"""Writes fixtures/ops/products.safetensors: products of matrices."""

import torch
import torch.nn.functional as F

from common import case, random, save_operations


def products():
    shapes = [
        ((2, 3), (3, 4)), ((1, 5), (5, 1)), ((9, 21), (21, 19)), ((4,), (4,)), ((4,), (4, 3)), ((3, 4), (4,)),
        ((2, 3, 4), (4, 2)), ((2, 3, 4), (2, 4, 2)), ((2, 1, 3, 4), (3, 4, 2)), ((3, 4), (2, 4, 2)), ((3,), (2, 3, 2)),
        ((2, 2, 3), (3,)), ((1, 2, 3), (4, 3, 2)), ((3, 1), (1, 4)),
        ((2, 0), (0, 3)), ((0, 2), (2, 3)), ((2, 2, 0), (0, 3)), ((0, 2, 3), (3, 1)), ((0,), (0,)),
    ]
    for a, b in shapes:
        case("matmul", torch.matmul, random(*a), random(*b))
    for shape, outputs in [((4, 3), 5), ((3,), 2), ((2, 3, 4), 3), ((1, 1), 1), ((17, 5), 19), ((0, 2), 3), ((3, 0), 2)]:
        x, w, b = random(*shape), random(outputs, shape[-1]), random(outputs)
        case("linear", F.linear, x, w)
        case("linear", F.linear, x, w, b)


if __name__ == "__main__":
    products()
    save_operations("products")
