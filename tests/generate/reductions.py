"""Writes fixtures/ops/reductions.safetensors: operations along dimensions."""

import math

import torch

from common import INF, NAN, case, random, save_operations


def reductions():
    shapes = [((3, 4), [0, 1]), ((3, 4), [0]), ((3, 5), [-1]), ((2, 3, 4), [0, 2]), ((2, 3, 4, 2), [1, 3]), ((37,), [0])]
    for op, f in {"sum": torch.sum, "mean": torch.mean}.items():
        for shape, dims in shapes:
            for keepdim in (False, True):
                case(op, lambda x: f(x, dims, keepdim), random(*shape), dims=dims, keepdim=keepdim)
    for op, f in {"softmax": torch.softmax, "log_softmax": torch.log_softmax}.items():
        for shape, dim in [((3, 5), 1), ((3, 5), 0), ((2, 4, 3), 1), ((2, 3, 2, 3), -3), ((6,), 0), ((2, 37), -1), ((3, 1), 1)]:
            case(op, lambda x: f(x, dim), random(*shape, low=-4, high=4), dim=dim)
        case(op, lambda x: f(x, 1), torch.tensor([[1000.0, 0.0, 999.0], [-1000.0, -1001.0, -1000.0]]), dim=1)
        masked = torch.tensor([[1.0, -INF, 2.0], [-INF, -INF, -INF]])
        case(op, lambda x: f(x, 1), masked, dim=1)
        case(op, lambda x: f(x, 0), random(3, 0), dim=0)
        case(op, lambda x: f(x, 0), random(0, 3), dim=0)
    for shape, dims in [((0, 3), [0]), ((0, 3), [1]), ((2, 0, 2), [1, 2]), ((0,), [0])]:
        case("sum", lambda x: x.sum(dims), random(*shape), dims=dims, keepdim=False)


DIMS = [((3, 4), [0, 1]), ((3, 4), [0]), ((3, 5), [-1]), ((2, 3, 4), [0, 2]), ((2, 3, 2, 2), [3, 1]), ((1, 3), [0]), ((0, 3), [1])]


def statistics():
    for shape, dims in DIMS:
        for keepdim in (False, True):
            where = dict(dims=dims, keepdim=keepdim)
            if keepdim or len(dims) == 1:
                for correction in (0, 1, 2) if dims == [0] else (1,):
                    x = random(*shape)
                    if math.prod([shape[d] for d in dims]) > correction:
                        case("var", lambda x: x.var(dims, correction=correction, keepdim=keepdim), x, correction=correction, **where)
                        if shape != (1, 3):
                            case("std", lambda x: x.std(dims, correction=correction, keepdim=keepdim), x, correction=correction, **where)
            for op, f in {"amax": torch.amax, "amin": torch.amin, "logsumexp": torch.logsumexp}.items():
                case(op, lambda x: f(x, dims, keepdim), random(*shape), **where)
            for p in (2.0, 1.0, 3.0, 0.0, INF, -INF, 0.5, 1.5, -1.0) if dims == [0] and not keepdim else (2.0, 2.5):
                f = lambda x: torch.linalg.vector_norm(x, p, dims, keepdim)
                case("norm", f, random(*shape), p=str(p), **where)
    for p in (2.0, 3.0, 1.0):
        case("norm", lambda x: torch.linalg.vector_norm(x, p, [1]), torch.tensor([[0.0, 2.0], [3.0, -4.0]]), p=str(p), dims=[1], keepdim=False)
    case("norm", lambda x: torch.linalg.vector_norm(x, 2.0, [0]), torch.tensor([1e30, -2e30, 2e30]).float().double(), p="2", dims=[0], keepdim=False)
    case("norm", lambda x: torch.linalg.vector_norm(x, INF, [0]), torch.tensor([-3.0, 3.0, 1.0]), p="inf", dims=[0], keepdim=False)


def extremes():
    ties = torch.tensor([[1.0, 3.0, 3.0, 0.0], [2.0, 2.0, 2.0, 2.0], [-1.0, -1.0, 0.0, 0.0]])
    nans = torch.tensor([[1.0, NAN, 3.0], [NAN, 2.0, NAN], [1.0, 2.0, 2.0]])
    for op, f in {"max": torch.max, "min": torch.min}.items():
        for x in [random(2, 3, 2), random(), ties, nans, torch.tensor([INF, -INF, 0.0])]:
            case(op, f, x)
            for dim in range(-1, x.dim()):
                for keepdim in (False, True) if x.dim() else ():
                    case(op, lambda x: tuple(f(x, dim, keepdim)), x, dim=dim, keepdim=keepdim)
        case(op, lambda x: tuple(f(x, 1)), random(0, 3), dim=1, keepdim=False)
    for op, f in {"amax": torch.amax, "amin": torch.amin}.items():
        for dims in ([0], [1], [0, 1]):
            case(op, lambda x: f(x, dims), ties, dims=dims, keepdim=False)
    inf = torch.tensor([[1000.0, 999.0], [-1000.0, -INF], [0.0, -INF]])
    case("logsumexp", lambda x: x.logsumexp([1]), inf, dims=[1], keepdim=False)
    case("logsumexp", lambda x: x.logsumexp([0]), random(0, 2), dims=[0], keepdim=False)


def products():
    for shape, dim in [((3, 4), 0), ((3, 4), -1), ((2, 3, 2), 1), ((1, 3), 0), ((0, 3), 0), ((0, 3), 1)]:
        for keepdim in (False, True):
            case("prod", lambda x: x.prod(dim, keepdim), random(*shape), dims=[dim], keepdim=keepdim)
    zeros = torch.tensor([[1.0, 0.0, 2.0, 3.0], [0.0, 0.0, 2.0, 1.5], [-1.0, 2.0, 0.5, 2.0], [0.0, 0.0, 0.0, 1.0]])
    for dim in (0, 1):
        case("prod", lambda x: x.prod(dim), zeros, dims=[dim], keepdim=False)
    for x in [random(5), random(2, 3), random(), zeros[:2], zeros[2:3]]:
        case("prod", lambda x: x.prod(), x, dims=list(range(x.dim())), keepdim=False)


def scalars():
    """A tensor without dimensions lets itself be asked for its first and its last."""
    for dim in (0, -1):
        for keepdim in (False, True):
            where = dict(dims=[dim], keepdim=keepdim)
            for op, f in {"sum": torch.sum, "mean": torch.mean, "amax": torch.amax, "amin": torch.amin, "logsumexp": torch.logsumexp}.items():
                case(op, lambda x: f(x, dim, keepdim), random(), **where)
            case("var", lambda x: x.var(dim, correction=0, keepdim=keepdim), random(), correction=0, **where)
            case("prod", lambda x: x.prod(dim, keepdim), random(), **where)
            case("norm", lambda x: torch.linalg.vector_norm(x, 2.0, dim, keepdim), random(), p="2", **where)
            for op, f in {"max": torch.max, "min": torch.min}.items():
                case(op, lambda x: tuple(f(x, dim, keepdim)), random(), dim=dim, keepdim=keepdim)
        for op, f in {"softmax": torch.softmax, "log_softmax": torch.log_softmax}.items():
            case(op, lambda x: f(x, dim), random(), dim=dim)
    nothing = torch.tensor([[-INF, -INF], [1.0, -INF], [-INF, 2.0], [INF, 1000.0], [INF, -INF]])
    for dim in (0, 1):
        case("logsumexp", lambda x: x.logsumexp(dim), nothing, dims=[dim], keepdim=False)


if __name__ == "__main__":
    reductions()
    statistics()
    extremes()
    products()
    scalars()
    save_operations("reductions")
