"""Writes fixtures/ops/attention.safetensors: layer normalization, embeddings, attention."""

import torch
import torch.nn.functional as F

from torch.nn.attention import SDPBackend, sdpa_kernel

from common import INF, case, random, save_operations


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


def attention():
    plain = dict(causal=False, past=0, scale=None, keep=None, add=False)
    key_padding = [[[[True, True, False, True, False]]], [[[False] * 5]]]
    triangle = [[True, False, False, True, True], [False] * 5, [True] * 5]
    heads, cross = (2, 2), ((2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 3))
    for q, k, v, more in [
        ((3, 4), (3, 4), (3, 4), {}),
        (*cross, {}),
        (*cross, dict(causal=True)),
        (*cross, dict(causal=True, past=2, scale=0.25)),
        (*cross, dict(keep=key_padding)),
        (*cross, dict(keep=triangle)),
        (*cross, dict(add=(3, 5))),
        (*cross, dict(add=(2, 1, 1, 5))),
        ((2, 1, 4, 3), (3, 2, 3), (1, 3, 2, 2), {}),
        ((2, 4, 2), (2, 3, 2), (2, 3, 1), dict(causal=True)),
        ((1, 1), (1, 1), (1, 1), dict(scale=-2.0)),
        ((2, 1, 70, 2), (2, 1, 2, 2), (2, 1, 2, 1), {}),
    ]:
        p = plain | more
        length, size = q[-2], k[-2]

        def f(q, k, v, *add):
            mask = torch.zeros(length, size)
            if p["causal"]:
                mask = mask.masked_fill(torch.ones(length, size).tril(p["past"]) == 0, -INF)
            if p["keep"] is not None:
                mask = mask.masked_fill(~torch.tensor(p["keep"]), -INF)
            mask = mask + add[0] if add else mask
            with sdpa_kernel(SDPBackend.MATH):
                y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=p["scale"])
                if p["causal"] and not p["past"] and not add:
                    z = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=p["scale"])
                    assert torch.allclose(y, z)
            return y

        added = [random(*p["add"])] if p["add"] else []
        p["add"] = bool(p["add"])
        p["keep_shape"] = list(torch.tensor(p["keep"]).shape) if p["keep"] else None
        inputs = [random(*shape) for shape in (q, k, v)]
        case("scaled_dot_product_attention", f, *inputs, *added, **(p | dict(keep=flat(p["keep"]))))


def flat(keep):
    return None if keep is None else torch.tensor(keep).flatten().tolist()


if __name__ == "__main__":
    norms()
    embeddings()
    attention()
    save_operations("attention")
