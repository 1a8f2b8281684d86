"""Writes fixtures/ops.safetensors: what PyTorch computes for every operation of the engine.

Needed only to make the file anew (`python tests/generate.py`, with torch and safetensors installed); the tests read the
file. It holds two tensors for each case:

    <case>/x   the inputs, as float32, which holds them exactly, so that both precisions see the same numbers
    <case>/y   the results, as float64

each a list of tensors, flattened and joined. The metadata's entry `manifest` is JSON: the version of PyTorch and, for
each case, its name, operation and parameters, the shapes of its inputs, the shape of its value, and which results it has:

    y           the value
    y1, y2      further results, which carry no gradient
    g0, g1, ..  the gradient of sum(y * d(0)) with respect to each input
    h0, h1, ..  the gradient of sum over j of sum(g_j * d(j + 1)) with respect to each input
    hd          the same with respect to d(0), as if it were an input

where d(k) is the tensor of fixed numbers that `direction` gives. A result that is zero everywhere is left out.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.set_default_dtype(torch.float64)
GENERATOR = torch.Generator().manual_seed(20240229)
CASES, TENSORS = [], {}
INF, NAN = math.inf, math.nan


def direction(shape, k):
    """Fixed numbers with three bits behind the point, the same as in the test."""
    i = torch.arange(math.prod(shape))
    return (((3 * i * i + 7 * i + 5 * k) % 31 - 15) / 8).reshape(shape)


def random(*shape, low=-2.0, high=2.0):
    """Random numbers with ten bits behind the point, exact in float32."""
    return torch.randint(int(low * 1024), int(high * 1024) + 1, shape, generator=GENERATOR) / 1024


def case(op, f, *inputs, **params):
    """Records one case. `f` takes the inputs and returns the value, or a tuple of the value and untracked results."""
    name = f"{op}/{sum(c['op'] == op for c in CASES)}"
    x = [v.clone().requires_grad_() for v in inputs]
    results = f(*x)
    y, *others = results if isinstance(results, tuple) else (results,)
    seed = direction(y.shape, 0).requires_grad_()
    g = torch.autograd.grad((y * seed).sum(), x, create_graph=True)
    second = sum((gj * direction(gj.shape, j + 1)).sum() for j, gj in enumerate(g))
    h, hd = [None] * len(x), None
    if second.requires_grad:
        *h, hd = torch.autograd.grad(second, [*x, seed], allow_unused=True)
    results = {"y": y}
    results |= {f"y{i + 1}": v for i, v in enumerate(others)}
    results |= {f"g{j}": v for j, v in enumerate(g)}
    results |= {f"h{j}": v for j, v in enumerate(h)}
    results |= {"hd": hd}
    results = {key: v.detach() for key, v in results.items() if v is not None and not (v == 0).all()}
    flat = join(inputs)
    assert torch.equal(torch.nan_to_num(flat), torch.nan_to_num(flat.float().double())), f"{name}: not exact in float32"
    TENSORS[f"{name}/x"] = flat.float()
    TENSORS[f"{name}/y"] = join(results.values())
    shapes = {"inputs": [list(v.shape) for v in inputs], "output": list(y.shape)}
    CASES.append({"name": name, "op": op, "params": params, **shapes, "results": list(results)})


def join(tensors):
    return torch.cat([v.reshape(-1) for v in tensors]) if tensors else torch.empty(0)


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


def views():
    for shape, to in [((3, 4), [2, 6]), ((2, 3, 4), [-1]), ((6,), [2, 1, 3]), ((1,), [])]:
        case("reshape", lambda x: x.reshape(to), random(*shape), shape=to)
    for shape, dims in [((3, 4), [1, 0]), ((2, 3, 4), [2, 0, 1]), ((2, 1, 3, 2), [0, 2, 3, 1])]:
        case("permute", lambda x: x.permute(dims), random(*shape), dims=dims)
    for shape, to in [((3,), [2, 3]), ((2, 1, 3), [2, 4, 3]), ((), [2, 2]), ((1, 1), [3, 4])]:
        case("broadcast_to", lambda x: x.broadcast_to(to), random(*shape), shape=to)
    for shape, dim, start, end, step in [((7,), 0, 1, 6, 2), ((3, 5), 1, 2, 5, 1), ((4, 2, 3), 0, 1, 4, 3), ((3, 4), -1, 0, 4, 3)]:
        index = [slice(None)] * len(shape)
        index[dim] = slice(start, end, step)
        case("slice", lambda x: x[tuple(index)], random(*shape), dim=dim, start=start, end=end, step=step)
    case("select", lambda x: x.select(1, 2), random(2, 4, 3), dim=1, index=2)
    case("flatten", lambda x: x.flatten(1), random(2, 3, 2), start=1)
    for shapes, dim in [([(2, 3), (1, 3), (4, 3)], 0), ([(2, 3), (2, 1)], -1), ([(2, 1, 2), (2, 3, 2), (2, 2, 2)], 1)]:
        case("cat", lambda *x: torch.cat(x, dim), *[random(*s) for s in shapes], dim=dim)
    for dim in [0, 1, -1]:
        case("stack", lambda *x: torch.stack(x, dim), random(2, 3), random(2, 3), dim=dim)


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


def products():
    shapes = [
        ((2, 3), (3, 4)), ((1, 5), (5, 1)), ((9, 21), (21, 19)), ((4,), (4,)), ((4,), (4, 3)), ((3, 4), (4,)),
        ((2, 3, 4), (4, 2)), ((2, 3, 4), (2, 4, 2)), ((2, 1, 3, 4), (3, 4, 2)), ((3, 4), (2, 4, 2)), ((3,), (2, 3, 2)),
        ((2, 2, 3), (3,)), ((1, 2, 3), (4, 3, 2)), ((3, 1), (1, 4)),
        ((2, 0), (0, 3)), ((0, 2), (2, 3)), ((2, 2, 0), (0, 3)), ((0, 2, 3), (3, 1)), ((0,), (0,)),
    ]
    for a, b in shapes:
        case("matmul", torch.matmul, random(*a), random(*b))
    for shape, outputs in [((4, 3), 5), ((3,), 2), ((2, 3, 4), 3), ((1, 1), 1), ((17, 5), 19), ((0, 2), 3), ((3, 0), 2)]:
        x, w, b = random(*shape), random(outputs, shape[-1]), random(outputs)
        case("linear", F.linear, x, w)
        case("linear", F.linear, x, w, b)


def convolutions():
    # x, w, stride, padding, dilation, groups
    cases = [
        ((2, 3, 5, 5), (4, 3, 3, 3), 1, 0, 1, 1),
        ((2, 3, 5, 4), (4, 3, 3, 3), 1, 1, 1, 1),
        ((1, 2, 5, 6), (3, 2, 1, 1), 1, 0, 1, 1),
        ((1, 2, 5, 6), (3, 2, 1, 1), 2, 0, 1, 1),
        ((1, 2, 6, 7), (3, 2, 3, 2), (2, 1), (1, 0), 1, 1),
        ((1, 2, 7, 7), (2, 2, 3, 3), 2, 1, 1, 1),
        ((1, 2, 7, 8), (2, 2, 3, 3), 1, 2, 2, 1),
        ((1, 2, 8, 7), (2, 2, 2, 3), (2, 3), (1, 2), (3, 2), 1),
        ((2, 4, 5, 5), (6, 2, 3, 3), 1, 1, 1, 2),
        ((1, 3, 6, 6), (3, 1, 3, 3), 1, 1, 1, 3),  # depthwise
        ((2, 3, 6, 5), (6, 1, 3, 3), 2, 1, 1, 3),  # depthwise with a multiplier
        ((1, 2, 8, 8), (2, 1, 5, 5), 1, 2, 1, 2),
        ((1, 4, 9, 9), (4, 2, 3, 3), 2, 2, 2, 2),
        ((1, 2, 11, 10), (2, 2, 7, 7), 2, 3, 1, 1),  # the stem of a residual net
        ((1, 1, 3, 3), (1, 1, 3, 3), 1, 0, 1, 1),
        ((1, 2, 3, 3), (2, 2, 3, 3), 1, 2, 1, 1),
        ((1, 16, 4, 4), (16, 16, 3, 3), 1, 1, 1, 1),  # many channels: Winograd
        ((1, 2, 1, 6), (2, 2, 1, 3), 1, (0, 1), 1, 1),
        ((0, 2, 4, 4), (2, 2, 3, 3), 1, 1, 1, 1),
    ]
    pair = lambda v: list(v) if isinstance(v, tuple) else [v, v]
    for i, (xs, ws, stride, padding, dilation, groups) in enumerate(cases):
        x, w = random(*xs), random(*ws, low=-1, high=1)
        bias = [random(ws[0])] if i % 2 else []
        params = dict(stride=pair(stride), padding=pair(padding), dilation=pair(dilation), groups=groups)
        case("conv2d", lambda x, w, b=None: F.conv2d(x, w, b, **params), x, w, *bias, **params)


def pools():
    # shape, kernel, stride, padding, dilation, ceil_mode
    cases = [
        ((2, 2, 4, 6), 2, 2, 0, 1, False),
        ((1, 2, 5, 5), 2, 2, 0, 1, False),
        ((1, 2, 5, 5), 2, 2, 0, 1, True),
        ((1, 1, 6, 7), 3, 1, 1, 1, False),
        ((1, 2, 7, 6), 3, 2, 1, 1, False),
        ((1, 2, 7, 6), 3, 2, 1, 1, True),
        ((1, 1, 6, 7), (2, 3), (3, 1), (1, 0), 1, False),
        ((1, 1, 6, 8), (3, 2), (2, 3), (1, 1), 1, True),
        ((1, 1, 5, 5), 2, 4, 1, 1, True),  # the last window would begin in the padding
        ((1, 1, 4, 4), 1, 2, 0, 1, True),
        ((1, 3, 3, 4), (3, 4), (3, 4), 0, 1, False),
        ((1, 2, 7, 8), 2, 1, 0, 2, False),
        ((1, 1, 8, 9), 3, 2, 1, 2, False),
        ((1, 1, 8, 9), (3, 2), (2, 3), (1, 1), (2, 3), True),
    ]
    pair = lambda v: list(v) if isinstance(v, tuple) else [v, v]
    for shape, kernel, stride, padding, dilation, ceil_mode in cases:
        params = dict(kernel=pair(kernel), stride=pair(stride), padding=pair(padding), ceil_mode=ceil_mode)
        k, s, p, d = params["kernel"], params["stride"], params["padding"], pair(dilation)
        case("max_pool2d", lambda x: F.max_pool2d(x, k, s, p, d, ceil_mode), random(*shape), dilation=d, **params)
        for count in (True, False):
            if dilation == 1 and (count or padding or ceil_mode):
                f = lambda x: F.avg_pool2d(x, k, s, p, ceil_mode, count)
                case("avg_pool2d", f, random(*shape), count_include_pad=count, **params)
    ties = torch.tensor([[1.0, 1.0, 0.0, 2.0], [1.0, 1.0, 2.0, 2.0], [-INF, -INF, 3.0, 0.0], [-INF, -INF, 0.0, 3.0]])
    params = dict(kernel=[2, 2], stride=[2, 2], padding=[0, 0], dilation=[1, 1], ceil_mode=False)
    case("max_pool2d", lambda x: F.max_pool2d(x, 2), ties.reshape(1, 1, 4, 4), **params)
    nans = torch.tensor([[NAN, 1.0, 0.0, 2.0], [1.0, NAN, NAN, 2.0]])
    case("max_pool2d", lambda x: F.max_pool2d(x, 2), nans.reshape(1, 1, 2, 4), **params)


def norms():
    for shape in [(6, 3), (4, 2, 3), (2, 3, 4, 3), (1, 2, 5, 1), (2, 1, 2, 1, 3)]:
        for affine in ("", "w", "b", "wb"):
            c = shape[1]
            eps = 1e-5 if affine else 0.125

            def f(x, *p):
                p = {"w": torch.ones(c)} | dict(zip(affine, p))  # torch's second derivative wants a weight
                dims = [d for d in range(x.dim()) if d != 1]
                y = F.batch_norm(x, None, None, p["w"], p.get("b"), training=True, eps=eps)
                return y, x.mean(dims).detach(), x.var(dims, unbiased=False).detach()

            case("batch_norm", f, random(*shape), *[random(c) for _ in affine], affine=affine, eps=eps)
    for p in (0.0, 1.0):
        case("dropout", lambda x: F.dropout(x, p), random(3, 4), p=p)


def losses():
    for rows, classes in [(4, 3), (1, 5), (5, 1), (7, 11), (2, 40), (0, 3)]:
        labels = torch.randint(classes, (rows,), generator=GENERATOR)
        f = lambda x: F.cross_entropy(x, labels)
        case("cross_entropy", f, random(rows, classes, low=-4, high=4), labels=labels.tolist())
    hard = torch.tensor([[1000.0, -1000.0, 0.0], [-1000.0, 1000.0, 999.0], [5.0, 5.0, 5.0]])
    case("cross_entropy", lambda x: F.cross_entropy(x, torch.tensor([0, 2, 1])), hard, labels=[0, 2, 1])
    for shape in [(5,), (3, 4), (2, 3, 2), ()]:
        x, t = random(*shape, low=-6, high=6), random(*shape, low=0, high=1)
        case("bce_with_logits", F.binary_cross_entropy_with_logits, x, t)
        case("mse_loss", F.mse_loss, x, t)
    case("half_mse_loss", lambda x, t: F.mse_loss(x, t) / 2, random(3, 4), random(3, 4))
    x, t = torch.tensor([1000.0, -1000.0, 1000.0, -1000.0, 0.0, 30.0]), torch.tensor([1.0, 0.0, 0.0, 1.0, 0.5, 0.25])
    case("bce_with_logits", F.binary_cross_entropy_with_logits, x, t)


if __name__ == "__main__":
    for part in (elementwise, views, reductions, products, convolutions, pools, norms, losses):
        part()
    path = pathlib.Path(__file__).parent / "fixtures" / "ops.safetensors"
    path.parent.mkdir(exist_ok=True)
    manifest = json.dumps({"torch": torch.__version__, "cases": CASES}, separators=(",", ":"))
    save_file(TENSORS, path, metadata={"manifest": manifest})
    print(f"{len(CASES)} cases, {path.stat().st_size} bytes")
