"""Writes fixtures/layers/reparametrized.safetensors: weight and spectral normalization, and the bilinear layer."""

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from common import derivatives, random, save_records

# PyTorch's own kernel takes the norms for constants when its gradient is differentiated: sign(v) had a slope. Composed of plain
# operations, the first derivatives are the same and the second ones right.
torch._weight_norm = lambda v, g, dim: v * (g / torch.norm_except_dim(v, 2, dim))

LAYERS = [("Linear", [3, 4]), ("Linear", [5, 1]), ("Conv2d", [2, 3])]


def build(layer, sizes):
    return nn.Linear(*sizes) if layer == "Linear" else nn.Conv2d(*sizes, 3)


def sample(layer, sizes):
    return random(2, sizes[0]) if layer == "Linear" else random(1, sizes[0], 4, 3)


def norms():
    for layer, sizes in LAYERS:
        for dim in [0, 1, None]:
            module = weight_norm(build(layer, sizes), dim=dim)
            derivatives("weight_norm", module, lambda x: [module(x)], [sample(layer, sizes)], layer=layer, sizes=sizes, dim=dim)
        for train, iterations in [(True, 1), (True, 3), (False, 1)]:
            module = spectral_norm(build(layer, sizes), n_power_iterations=iterations).train(train)
            given = dict(layer=layer, sizes=sizes, train=train, iterations=iterations)
            derivatives("spectral_norm", module, lambda x: [module(x)], [sample(layer, sizes)], **given)


def bilinears():
    for rows, in1, in2, out, bias in [((3,), 2, 4, 3, True), ((), 3, 2, 2, False), ((2, 2), 1, 3, 1, True)]:
        module = nn.Bilinear(in1, in2, out, bias=bias)
        x = [random(*rows, in1), random(*rows, in2)]
        derivatives("bilinear", module, lambda a, b: [module(a, b)], x, in1=in1, in2=in2, out=out, bias=bias)


if __name__ == "__main__":
    norms()
    bilinears()
    save_records("reparametrized")
