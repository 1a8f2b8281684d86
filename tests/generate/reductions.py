"""Writes fixtures/ops/reductions.safetensors: operations along dimensions."""

import torch

from common import INF, case, random, save_operations


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


if __name__ == "__main__":
    reductions()
    save_operations("reductions")
