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
    where()


def where():
    for mask, a, b in [((3, 4), (3, 4), (3, 4)), ((2, 1), (3,), ()), ((2, 1, 2), (3, 1), (2,)), ((), (2, 2), (2,)), ((0, 2), (2,), (1, 1))]:
        mask = random(*mask) > 0
        params = dict(mask=mask.reshape(-1).tolist(), shape=list(mask.shape))
        case("where", lambda x, y: torch.where(mask, x, y), random(*a), random(*b), **params)
    mask = [True, False, True, False]
    x, y = torch.tensor([1.0, NAN, INF, 2.0]), torch.tensor([NAN, 1.0, 2.0, -INF])
    case("where", lambda x, y: torch.where(torch.tensor(mask), x, y), x, y, mask=mask, shape=[4])


if __name__ == "__main__":
    elementwise()
    save_operations("elementwise")
