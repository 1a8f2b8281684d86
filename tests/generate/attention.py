"""Writes fixtures/ops/attention.safetensors: layer normalization, embeddings, attention."""

import torch
import torch.nn.functional as F

from common import case, random, save_operations


def norms():
    for shape, dims in [((3, 4), 1), ((2, 2, 3), 1), ((2, 3, 2), 2), ((5,), 1), ((2, 1), 1), ((0, 3), 1)]:
        normalized = shape[len(shape) - dims :]
        for affine in ("", "w", "b", "wb"):
            eps = 1e-5 if affine else 0.125

            def f(x, *p):
                # torch's second derivative wants a weight.
                p = {"w": torch.ones(normalized)} | dict(zip(affine, p))
                return F.layer_norm(x, normalized, p["w"], p.get("b"), eps)

            parameters = [random(*normalized) for _ in affine]
            case("layer_norm", f, random(*shape), *parameters, normalized=normalized, affine=affine, eps=eps)
        for affine, eps in [("", 0.125), ("w", None if shape != (2, 1) else 1.0)]:

            def g(x, *w):
                # As the definition says: torch's own form has no second derivative everywhere.
                scale = (x.square().mean(tuple(range(-dims, 0)), keepdim=True) + (eps or 2**-10)).rsqrt()
                y = x * scale * (w[0] if w else 1)
                assert torch.allclose(y, F.rms_norm(x, normalized, *w, eps=eps or 2**-10), rtol=1e-12)
                return y

            parameters = [random(*normalized) for _ in affine]
            case("rms_norm", g, random(*shape), *parameters, normalized=normalized, eps=eps or 2**-10)


def embeddings():
    for height, features, indices, padding in [
        (4, 3, [1, 3, 1, 0], None),
        (4, 3, [1, 3, 1, 0], 1),
        (1, 2, [0], None),
        (5, 1, [4, 4, 4], 0),
    ]:
        picked = torch.tensor(indices, dtype=torch.long)
        f = lambda w: F.embedding(picked, w, padding_idx=padding)
        case("embedding", f, random(height, features), indices=indices, padding_idx=padding)


if __name__ == "__main__":
    norms()
    embeddings()
    save_operations("attention")
