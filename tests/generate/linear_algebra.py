"""Writes fixtures/ops/linear_algebra.safetensors: products of vectors, and sums of products."""

import torch
import torch.nn.functional as F

from common import case, random, save_operations


def vectors():
    for n in [4, 1, 0, 40]:
        case("dot", torch.dot, random(n), random(n))
    for n, m in [(3, 4), (1, 1), (0, 2), (2, 0), (5, 1)]:
        case("outer", torch.outer, random(n), random(m))


def batches():
    shapes = [
        ((0, 2, 3), (0, 3, 1)), ((0, 2, 3), (1, 3, 2)), ((2, 0, 3), (2, 3, 1)), ((3, 1, 2, 3), (1, 4, 3, 2)), ((2, 3), (4, 1, 3, 2)),
        ((4, 0, 2), (2,)), ((0,), (0, 3)), ((1,), (1,)), ((2, 3, 0), (0, 2)), ((2, 1, 1, 3), (2, 2, 3, 1)),
    ]
    for a, b in shapes:
        case("matmul", torch.matmul, random(*a), random(*b))


def bilinear():
    for rows, n, m, outputs in [((2,), 3, 4, 2), ((), 2, 3, 4), ((2, 3), 1, 2, 1), ((0,), 2, 2, 3), ((3,), 2, 2, 0)]:
        a, b, w, c = random(*rows, n), random(*rows, m), random(outputs, n, m), random(outputs)
        case("bilinear", F.bilinear, a, b, w)
        case("bilinear", F.bilinear, a, b, w, c)


def sums():
    for equation, shapes in [
        ("ij,jk->ik", [(3, 4), (4, 2)]), ("ij,jk", [(3, 4), (4, 2)]), ("bij,bjk->bik", [(2, 3, 4), (2, 4, 2)]), ("ij->ji", [(2, 3)]),
        ("ij->", [(2, 3)]), ("ij->j", [(2, 3)]), ("ii->i", [(3, 3)]), ("ii", [(3, 3)]), ("iji->j", [(2, 3, 2)]), ("i,i->", [(4,), (4,)]),
        ("i,j->ij", [(3,), (2,)]), ("ij,ij->ij", [(2, 3), (2, 3)]), ("ij,ij->i", [(2, 3), (2, 3)]), ("...ij,...jk->...ik", [(2, 3, 4), (4, 2)]),
        ("...i->...", [(2, 3, 2)]), ("b...,...->b", [(2, 3), (3,)]), ("i...j", [(2, 3, 4)]), ("...ii->...i", [(2, 3, 3)]),
        ("bhqd,bhkd->bhqk", [(2, 2, 3, 2), (2, 2, 4, 2)]), ("ij,jk,kl->il", [(2, 3), (3, 2), (2, 4)]), ("ba,ca,da->bcd", [(2, 3), (2, 3), (2, 3)]),
        ("i,ij,j->", [(2,), (2, 3), (3,)]), ("ij,jk->ik", [(2, 1), (3, 4)]), ("ij,jk->ik", [(2, 0), (0, 3)]), (",->", [(), ()]), (",i->i", [(), (3,)]),
        ("bi,oij,bj->bo", [(2, 3), (2, 3, 4), (2, 4)]), ("zB,Aj->jAzB", [(2, 1), (1, 2)]), ("ij,k->ik", [(2, 3), (2,)]),
    ]:
        case("einsum", lambda *x: torch.einsum(equation, *x), *[random(*shape) for shape in shapes], equation=equation)


if __name__ == "__main__":
    vectors()
    sums()
    bilinear()
    batches()
    save_operations("linear_algebra")
