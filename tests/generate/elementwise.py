"""Writes fixtures/ops/elementwise.safetensors: element-wise operations."""

import torch
import torch.nn.functional as F

from common import INF, NAN, case, random, save_operations


def elementwise():
    case("relu", torch.relu, torch.tensor([NAN, 1.0, -1.0]))
    everywhere = {
        "abs": torch.abs, "neg": torch.neg, "relu": torch.relu, "exp": torch.exp, "tanh": torch.tanh,
        "sigmoid": torch.sigmoid, "erf": torch.erf, "gelu": F.gelu,
    }
    for op, f in everywhere.items():
        for shape in [(3, 7), (2, 3, 2), ()]:
            case(op, f, random(*shape))
        case(op, f, torch.tensor([-1000.0, -30.0, -8.0, -0.0, 0.0, 1e-3, 8.0, 30.0, 80.0]).float().double())
        if op not in ("exp",):
            case(op, f, torch.tensor([1000.0, 88.0, -88.0]))
    for op, f in {"log": torch.log, "sqrt": torch.sqrt}.items():
        for shape in [(3, 7), (2, 3, 2), ()]:
            case(op, f, random(*shape, low=0.25, high=4))
        case(op, f, torch.tensor([0.0, 1e-8, 1e8]).float().double())
    for p in [2.0, 3.0, 0.5, -0.5, -1.0, -2.0, 2.5]:
        case("powf", lambda x: x.pow(p), random(3, 5, low=0.25, high=2), p=p)
    for p in [0.0, 1.0, 2.0, 3.0]:
        case("powf", lambda x: x.pow(p), torch.cat([random(6), torch.zeros(1)]), p=p)
    shapes = [
        ((3, 4), (3, 4)), ((3, 4), (4,)), ((2, 1, 3), (4, 3)), ((), (3,)), ((5, 1), (1, 7)), ((3, 1), (2, 3, 4)), ((), ()),
    ]
    for op in ("add", "sub", "mul", "div"):
        for a, b in shapes:
            x, y = random(*a), random(*b, low=0.25, high=2)
            case(op, getattr(torch, op), x, -y if len(b) % 2 else y)


def where():
    for mask, a, b in [((3, 4), (3, 4), (3, 4)), ((2, 1), (3,), ()), ((2, 1, 2), (3, 1), (2,)), ((), (2, 2), (2,)), ((0, 2), (2,), (1, 1))]:
        mask = random(*mask) > 0
        params = dict(mask=mask.reshape(-1).tolist(), shape=list(mask.shape))
        case("where", lambda x, y: torch.where(mask, x, y), random(*a), random(*b), **params)
    mask = [True, False, True, False]
    x, y = torch.tensor([1.0, NAN, INF, 2.0]), torch.tensor([NAN, 1.0, 2.0, -INF])
    case("where", lambda x, y: torch.where(torch.tensor(mask), x, y), x, y, mask=mask, shape=[4])


SPECIAL = [NAN, INF, -INF, 0.0, -0.0, 3.0, -3.0, 1.0, -1.0, 6.0, 0.5, -2.5]


def functions():
    """Functions of one tensor: `f(x, **params)`, its parameters, the range of its inputs, and the special ones left out
    (where PyTorch has NaN for want of care, or answers that depend on the place in the vector)."""
    everywhere = [
        ("log1p", torch.log1p, {}, -0.75, 4, ()), ("expm1", torch.expm1, {}, -2, 2, ()),
        ("rsqrt", torch.rsqrt, {}, 0.25, 4, ()), ("reciprocal", torch.reciprocal, {}, 0.25, 4, ()),
        ("square", torch.square, {}, -2, 2, ()), ("sign", torch.sign, {}, -2, 2, ()),
        ("floor", torch.floor, {}, -3, 3, ()), ("ceil", torch.ceil, {}, -3, 3, ()),
        ("round", torch.round, {}, -3, 3, ()), ("trunc", torch.trunc, {}, -3, 3, ()),
        ("sin", torch.sin, {}, -7, 7, ()), ("cos", torch.cos, {}, -7, 7, ()),
        ("leaky_relu", F.leaky_relu, dict(negative_slope=0.01), -2, 2, ()),
        ("leaky_relu", F.leaky_relu, dict(negative_slope=-0.5), -2, 2, ()),
        ("elu", F.elu, dict(alpha=1.0), -3, 3, ()), ("elu", F.elu, dict(alpha=0.25), -3, 3, ()),
        ("celu", F.celu, dict(alpha=1.5), -3, 3, ()), ("selu", F.selu, {}, -3, 3, ()),
        ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), {}, -4, 4, ()),
        ("silu", F.silu, {}, -4, 4, ()), ("mish", F.mish, {}, -4, 4, (INF,)),
        ("softplus", F.softplus, dict(beta=1.0, threshold=20.0), -4, 4, ()),
        ("softplus", F.softplus, dict(beta=2.0, threshold=1.5), -4, 4, ()),
        ("softplus", F.softplus, dict(beta=-0.5, threshold=20.0), -4, 4, ()),
        ("logsigmoid", F.logsigmoid, {}, -4, 4, ()), ("softsign", F.softsign, {}, -4, 4, (INF,)),
        ("hardtanh", F.hardtanh, dict(min_val=-1.0, max_val=1.0), -2, 2, (NAN,)),
        ("hardtanh", F.hardtanh, dict(min_val=-0.25, max_val=3.0), -2, 4, (NAN,)),
        ("relu6", F.relu6, {}, -2, 8, (NAN,)),
        # PyTorch's own form of these two has no second derivative.
        ("hardsigmoid", lambda x: F.relu6(x + 3) / 6, {}, -5, 5, (NAN,)),
        ("hardswish", lambda x: x * (F.relu6(x + 3) / 6), {}, -5, 5, (NAN, INF)),
        ("clamp", torch.clamp, dict(min=-1.0, max=0.5), -2, 2, ()), ("clamp", torch.clamp, dict(min=0.5, max=None), -2, 2, ()),
        ("clamp", torch.clamp, dict(min=None, max=-1.0), -2, 2, ()), ("clamp", torch.clamp, dict(min=1.0, max=0.5), -2, 2, ()),
    ]
    for op, f, params, low, high, without in everywhere:
        for shape in [(3, 5), ()] + [(0, 2)] * (not params):
            case(op, lambda x: f(x, **params), random(*shape, low=low, high=high), **params)
        case(op, lambda x: f(x, **params), torch.tensor([v for v in SPECIAL if str(abs(v)) not in map(str, without)]), **params)
        large = [1000.0, -1000.0, 30.0, -30.0, 2.0**-20, -(2.0**-20)]
        case(op, lambda x: f(x, **params), torch.tensor([v for v in large if op not in ("expm1", "mish") or v < 100]), **params)
    for op, f in {"sin": torch.sin, "cos": torch.cos}.items():
        case(op, f, torch.tensor([1e5, -1e7, 2.0**40, 710.0]))


def pairs():
    shapes = [((3, 4), (3, 4)), ((2, 1, 3), (4, 3)), ((), (3,)), ((0, 3), (1, 3))]
    for a, b in shapes:
        for op in ("maximum", "minimum"):
            case(op, getattr(torch, op), random(*a), random(*b))
        case("pow", torch.pow, random(*a, low=0.25, high=2), random(*b))
    x, y = torch.tensor([1.0, NAN, 1.0, 2.0, -INF, INF, 0.0]), torch.tensor([1.0, 1.0, NAN, 2.0, -INF, 3.0, -0.0])
    for op in ("maximum", "minimum"):
        case(op, getattr(torch, op), x, y)
        case(op, getattr(torch, op), torch.randint(3, (4, 5)).double(), torch.randint(3, (5,)).double())
    case("pow", torch.pow, torch.tensor([0.0, 0.0, -2.0, -2.0, 3.0, 1.0]), torch.tensor([0.0, 2.0, 2.0, 3.0, 0.0, 5.0]))
    for shape, weights in [((2, 3), 3), ((2, 3, 4), 3), ((5,), 1), ((2, 3), 1), ((), 1), ((1, 2, 2, 2), 2), ((0, 3), 3)]:
        case("prelu", F.prelu, random(*shape), random(weights))
    case("prelu", F.prelu, torch.tensor([[-1.0, NAN], [INF, -2.0]]), torch.tensor([0.5, -1.0]))


if __name__ == "__main__":
    elementwise()
    where()
    functions()
    pairs()
    save_operations("elementwise")
