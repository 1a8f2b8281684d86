"""Writes fixtures/ops/norms.safetensors: normalization and dropout."""

import torch
import torch.nn.functional as F

from common import case, random, save_operations


def norms():
    for shape in [(6, 3), (4, 2, 3), (2, 3, 4, 3), (1, 2, 5, 1), (2, 1, 2, 1, 3), (0, 2), (0, 3, 2, 1), (2, 2, 0)]:
        for affine in ("", "w", "b", "wb"):
            c = shape[1]
            eps = 1e-5 if affine else 0.125

            def f(x, *p):
                p = {"w": torch.ones(c)} | dict(zip(affine, p))  # torch's second derivative wants a weight
                dims = [d for d in range(x.dim()) if d != 1]
                y = F.batch_norm(x, None, None, p["w"], p.get("b"), training=True, eps=eps)
                return y, x.mean(dims).detach(), x.var(dims, unbiased=False).detach()

            case("batch_norm", f, random(*shape), *[random(c) for _ in affine], affine=affine, eps=eps)
    for shape, groups in [((3, 6), 2), ((2, 6, 3), 3), ((1, 4, 2, 3), 1), ((2, 3, 4), 3), ((0, 4, 2), 2), ((1, 2, 2, 1, 2), 2)]:
        for affine in ("", "w", "b", "wb"):
            c = shape[1]
            eps = 1e-5 if affine else 0.125

            def f(x, *p):
                p = {"w": torch.ones(c)} | dict(zip(affine, p))
                return F.group_norm(x, groups, p["w"], p.get("b"), eps)

            case("group_norm", f, random(*shape), *[random(c) for _ in affine], affine=affine, eps=eps, groups=groups)
    for shape in [(2, 3, 4), (1, 2, 3, 2), (3, 1, 5), (1, 2, 2, 1, 2)]:
        for affine in ("", "w", "b", "wb"):
            c = shape[1]
            eps = 1e-5 if affine else 0.125

            def f(x, *p):
                p = {"w": torch.ones(c)} | dict(zip(affine, p))
                return F.instance_norm(x, None, None, p["w"], p.get("b"), eps=eps)

            case("instance_norm", f, random(*shape), *[random(c) for _ in affine], affine=affine, eps=eps)
    for p in (0.0, 1.0):
        case("dropout", lambda x: F.dropout(x, p), random(3, 4), p=p)


if __name__ == "__main__":
    norms()
    save_operations("norms")
