"""Writes fixtures/layers/activations.safetensors: activations as layers, with PyTorch's defaults and with other settings."""

import torch.nn.functional as F
from torch import nn

from common import derivatives, random, save_records
from nets import build, layer

# PyTorch's own form of these has no second derivative.
SMOOTH = {"Hardsigmoid": lambda x: F.relu6(x + 3) / 6, "Hardswish": lambda x: x * (F.relu6(x + 3) / 6)}


def activations():
    cases = [layer(name) for name in (
        "CELU", "ELU", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid", "Mish", "PReLU", "ReLU6", "SELU",
        "SiLU", "Softplus", "Softsign")]
    cases += [
        layer("GELU", approximate="tanh"), layer("CELU", alpha=0.5), layer("ELU", alpha=2.0),
        layer("Hardtanh", min_val=-0.5, max_val=2.0), layer("LeakyReLU", negative_slope=0.25),
        layer("PReLU", num_parameters=3), layer("Softplus", beta=2.0, threshold=3.0),
    ]
    for net in cases:
        module = build(net)
        assert isinstance(module, nn.Module)
        forward = SMOOTH.get(net["layer"], module)
        derivatives("layer", module, lambda *x: [forward(v) for v in x], [random(2, 3, 4, low=-3, high=3)], net=net, train=False)


if __name__ == "__main__":
    activations()
    save_records("activations")
