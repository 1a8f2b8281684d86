"""Nets, described by the names and arguments of PyTorch's classes."""

from collections import OrderedDict

from torch import nn


def build(spec):
    """A list is a Sequential; `named` one with names; the rest are a class of torch.nn and its arguments."""
    if isinstance(spec, list):
        return nn.Sequential(*map(build, spec))
    if "named" in spec:
        return nn.Sequential(OrderedDict((name, build(layer)) for name, layer in spec["named"]))
    arguments = {name: tuple(value) if isinstance(value, list) else value for name, value in spec.items()}
    return getattr(nn, arguments.pop("layer"))(**arguments)


def layer(name, **arguments):
    return {"layer": name, **arguments}


def linear(inputs, outputs, **more):
    return layer("Linear", in_features=inputs, out_features=outputs, **more)


def conv(inputs, outputs, kernel, **more):
    return layer("Conv2d", in_channels=inputs, out_channels=outputs, kernel_size=kernel, **more)
