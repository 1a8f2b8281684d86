"""Writes fixtures/ops/indexing.safetensors: operations that pick, place and order elements."""

import torch
import torch.nn.functional as F

from common import GENERATOR, INF, NAN, case, random, save_operations


def indices(*shape, below):
    return torch.randint(0, below, shape, generator=GENERATOR)


def listed(index):
    return {"index": index.reshape(-1).tolist(), "shape": list(index.shape)}


def selections():
    for shape, dim, index in [
        ((4, 3), 0, [3, 0, 3, 3]), ((2, 3, 4), -1, [1]), ((2, 3, 2), 1, [2, 1, 0, 0]), ((3, 2), 0, []), ((1,), 0, [0, 0]),
        ((0, 3), 1, [2, 0]), ((), 0, [0]),
    ]:
        case("index_select", lambda x: x.index_select(dim, torch.tensor(index, dtype=torch.long)), random(*shape), dim=dim, index=index)
    for shape, dim, index in [((4, 3), 0, [3, 0, 3]), ((2, 3, 2), -2, [1, 1, 1, 1]), ((3, 2), 1, []), ((5,), 0, [4])]:
        source = list(shape)
        source[dim] = len(index)
        add = lambda x, s: x.index_add(dim, torch.tensor(index, dtype=torch.long), s)
        case("index_add", add, random(*shape), random(*source), dim=dim, index=index)
    for shape, dim, index in [
        ((4, 3), 0, (2, 3)), ((4, 3), 1, (4, 5)), ((2, 3, 4), -2, (2, 5, 3)), ((2, 3, 4), 2, (1, 2, 6)), ((5,), 0, (9,)), ((3, 2), 1, (0, 2)),
        ((3, 2), 0, (2, 0)), ((1, 1), 1, (1, 3)),
    ]:
        index = indices(*index, below=shape[dim])
        case("gather", lambda x: x.gather(dim, index), random(*shape), dim=dim, **listed(index))
        if dim < 2:
            case("scatter_add", lambda x, s: x.scatter_add(dim, index, s), random(*shape), random(*index.shape), dim=dim, **listed(index))
    zero = torch.tensor(0)
    case("index_add", lambda x, s: x.index_add(0, zero.reshape(1), s), random(), random(), dim=0, index=[0])
    case("scatter_add", lambda x, s: x.scatter_add(-1, zero, s), random(), random(), dim=-1, **listed(zero))
    case("squeeze", lambda x: x.squeeze(-1), random(), dims=[-1])
    case("gather", lambda x: x.gather(0, zero), random(), dim=0, **listed(zero))


def masks():
    for shape, mask in [((3, 4), (3, 4)), ((3, 4), (4,)), ((2, 1, 3), (2, 3)), ((), ()), ((0, 2), (2,))]:
        mask = indices(*mask, below=2).bool()
        if mask.ndim <= len(shape):
            case("masked_fill", lambda x: x.masked_fill(mask, -1.5), random(*shape), mask=mask.reshape(-1).tolist(), shape=list(mask.shape))
    for shape, labels, classes in [((4, 3), [2, 0, 2, 1], 3), ((1, 2), [1], 2), ((0, 2), [], 2)]:
        hot = lambda x: x * F.one_hot(torch.tensor(labels, dtype=torch.long), classes)
        case("one_hot", hot, random(*shape), labels=labels, classes=classes)


def moves():
    for shape, dims in [((3, 4), [0]), ((3, 4), [0, -1]), ((2, 3, 2), [1]), ((0, 2), [0]), ((1,), [-1])]:
        case("flip", lambda x: x.flip(dims), random(*shape), dims=dims)
    for shape, shifts, dims in [
        ((3, 4), [1], [0]), ((3, 4), [-2, 7], [1, 0]), ((2, 3), [2], []), ((2, 3, 2), [-1], [-2]), ((0, 3), [1], [0]), ((4,), [0], [0]),
    ]:
        case("roll", lambda x: x.roll(shifts, dims), random(*shape), shifts=shifts, dims=dims)
    for shape in [(3, 3), (2, 4), (2, 4, 3), (1, 1), (0, 3)]:
        for diagonal in [0, 1, -2]:
            case("tril", lambda x: x.tril(diagonal), random(*shape), diagonal=diagonal)
            case("triu", lambda x: x.triu(diagonal), random(*shape), diagonal=diagonal)
    for shape, offset, dim1, dim2 in [((3, 3), 0, 0, 1), ((2, 4), 1, 0, 1), ((2, 4), -1, 1, 0), ((2, 3, 4), 2, -2, -1), ((3, 2, 3), -1, 0, 2), ((2, 2), 5, 0, 1)]:
        case("diagonal", lambda x: x.diagonal(offset, dim1, dim2), random(*shape), offset=offset, dim1=dim1, dim2=dim2)
    for shape, offset in [((3,), 0), ((2,), 2), ((2,), -1), ((3, 2), 0), ((2, 3), 1)]:
        case("diag", lambda x: x.diag(offset), random(*shape), offset=offset)
    for shape, counts in [((2, 3), [2, 1]), ((3,), [2, 3]), ((2, 1), [1, 4]), ((), [3]), ((2,), [0]), ((0, 2), [2, 2])]:
        case("repeat", lambda x: x.repeat(counts), random(*shape), counts=counts)
    for shape, count, dim in [((2, 3), 2, 0), ((2, 3), 3, -1), ((2, 1, 2), 2, 1)]:
        case("repeat_interleave", lambda x: x.repeat_interleave(count, dim), random(*shape), count=count, dim=dim)


def pieces():
    joined = lambda parts, dim: torch.cat(list(reversed(parts)), dim)
    for shape, size, dim in [((5, 2), 2, 0), ((2, 6), 3, -1), ((2, 3), 7, 1)]:
        case("split", lambda x: joined(x.split(size, dim), dim), random(*shape), size=size, dim=dim)
    for shape, sizes, dim in [((5, 2), [1, 4], 0), ((2, 6), [2, 0, 3, 1], 1)]:
        case("split_with_sizes", lambda x: joined(x.split(sizes, dim), dim), random(*shape), sizes=sizes, dim=dim)
    for shape, parts, dim in [((5, 2), 2, 0), ((2, 5), 4, 1), ((2, 7), 5, 1), ((3,), 5, 0)]:
        case("chunk", lambda x: joined(x.chunk(parts, dim), dim), random(*shape), parts=parts, dim=dim)
    case("unbind", lambda x: joined(x.unbind(1), 0), random(2, 3, 2), dim=1)
    for shape, start, end in [((2, 3, 4), 0, 1), ((2, 3, 4), -2, -1), ((2, 3), 1, 1), ((2, 0, 3), 0, 2), ((), 0, 0)]:
        case("flatten_dims", lambda x: x.flatten(start, end), random(*shape), start=start, end=end)
    for shape, dim, sizes in [((2, 6), 1, [2, 3]), ((6, 2), -2, [3, -1]), ((4,), 0, [2, 1, 2])]:
        case("unflatten", lambda x: x.unflatten(dim, sizes), random(*shape), dim=dim, sizes=sizes)
    for shape, dims in [((1, 2, 1), [0]), ((1, 2, 1), [0, 1, -1]), ((2, 3), [1])]:
        case("squeeze", lambda x: x.squeeze(dims), random(*shape), dims=dims)
    case("squeeze_all", lambda x: x.squeeze(), random(1, 2, 1))
    case("unsqueeze", lambda x: x.unsqueeze(-2), random(3, 2), dim=-2)
    for shape, sizes in [((3, 1), [-1, 4]), ((2, 1), [3, -1, 2]), ((1,), [2, 3])]:
        case("expand", lambda x: x.expand(sizes), random(*shape), sizes=sizes)


def pads():
    for shape, pad in [((3,), [1, 2]), ((2, 3), [0, 1, 2, 0]), ((2, 3), [-1, 2]), ((2, 3, 2), [1, 0, -1, 1, 0, 2]), ((2, 0), [1, 1]), ((1, 1), []), ((2, 4), [-2, -1])]:
        case("pad", lambda x: F.pad(x, pad, "constant", 0.5), random(*shape), pad=pad, mode="constant")
    for mode in ["reflect", "replicate", "circular"]:
        for shape, pad in [((1, 2, 4), [3, 1]), ((2, 1, 3, 4), [1, 2, 2, 0]), ((1, 1, 5), [0, 4]), ((1, 2, 5), [-1, 2]), ((1, 2, 2, 3, 2), [1, 1, 0, 2, 1, 0])]:
            case("pad", lambda x: F.pad(x, pad, mode), random(*shape), pad=pad, mode=mode)


def orders():
    for shape, dim in [((4,), 0), ((3, 4), 0), ((3, 4), -1), ((2, 3, 2), 1), ((2, 0), 1), ((0, 2), 1), ((), 0)]:
        case("cumsum", lambda x: x.cumsum(dim), random(*shape), dim=dim)
        case("cumprod", lambda x: x.cumprod(dim), random(*shape), dim=dim)
    case("cumsum", lambda x: x.cumsum(0), torch.tensor([1.0, INF, 2.0, -INF, 1.0, NAN]), dim=0)
    zeros = torch.tensor([[2.0, 0.0, 3.0, -1.5], [0.0, 2.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    case("cumprod", lambda x: x.cumprod(1), zeros, dim=1)
    case("cumprod", lambda x: x.cumprod(0), zeros, dim=0)
    ties = torch.tensor([[2.0, -1.0, 2.0, 0.0, -0.0, -1.0], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]])
    odd = torch.tensor([[1.0, NAN, -INF, INF], [NAN, 0.0, NAN, -2.0]])
    for x, dim in [(random(5), 0), (random(3, 4), 0), (random(3, 4), -1), (random(2, 3, 2), 1), (ties, 1), (ties, 0), (random(2, 0), 1), (random(), 0), (odd, 1)]:
        for descending in [False, True]:
            def ordered(x):
                values, places = x.sort(dim=dim, descending=descending, stable=True)
                return values, places
            case("sort", ordered, x, dim=dim, descending=descending)
    for x, k, dim in [(random(7), 3, 0), (random(3, 5), 2, 0), (random(3, 5), 5, -1), (random(2, 3, 2), 1, 1), (random(2, 3), 0, 1), (random(1), 1, 0), (random(), 1, 0)]:
        for largest in [True, False]:
            case("topk", lambda x: tuple(x.topk(k, dim, largest)), x, k=k, dim=dim, largest=largest)
    case("topk", lambda x: tuple(x.topk(2, 1)), torch.tensor([[1.0, NAN, -INF, INF], [5.0, 0.0, NAN, -2.0]]), k=2, dim=1, largest=True)


if __name__ == "__main__":
    selections()
    masks()
    moves()
    pieces()
    pads()
    orders()
    save_operations("indexing")
