"""What the generators of fixtures share. The fixtures hold what PyTorch computes; the tests compare the engine with them.

Needed only to make the files anew, with torch and safetensors installed: each script beside this one writes the file, or the
files, that its first lines name (`python tests/generate/elementwise.py`). A script of operations calls `case` for each
call of an operation and then `save_operations`; a script of layers calls `record` or `derivatives` for each run and then
`save_records`. Both keep two tensors for each case:

    <case>/x   what is given, as float32, which holds it exactly, so that both precisions see the same numbers
    <case>/y   the results, as float64

each a list of tensors, flattened and joined. A result that is zero everywhere is left out. The metadata's entry `manifest`
is JSON: the version of PyTorch and, for each case, its name, its parameters, and the names and shapes of both lists.

The results of an operation:

    y           the value
    y1, y2      further results, which carry no gradient (indices too)
    g0, g1, ..  the gradient of sum(y * d(0)) with respect to each input
    h0, h1, ..  the gradient of sum over j of sum(g_j * d(j + 1)) with respect to each input
    hd          the same with respect to d(0), as if it were an input

The results of a run of a module, whose given tensors are the inputs `x0`, `x1`, .. and its state, `state.<name>`:

    y0, ..      the outputs
    after.<b>   the buffer <b> after the pass
    g.<v>       the gradient of L = sum over k of sum(y_k * d(k)), for each input and parameter <v>
    h.<v>       the gradient of sum over j of sum(g_j * d(j + 1)), j counting the inputs and parameters

where d(k) is the tensor of fixed numbers that `direction` gives. Inputs are random numbers with few bits.
"""

import json
import math
import pathlib

import torch
from safetensors.torch import save_file

torch.set_default_dtype(torch.float64)
FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"
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


def join(tensors):
    return torch.cat([v.reshape(-1) for v in tensors]) if tensors else torch.empty(0)


def store(name, given, results):
    """Keeps the numbers of a case and returns the results that are worth it."""
    results = {key: v.detach().double() for key, v in results.items() if v is not None and not (v == 0).all()}
    flat = join(given)
    assert torch.equal(torch.nan_to_num(flat), torch.nan_to_num(flat.float().double())), f"{name}: not exact in float32"
    TENSORS[f"{name}/x"] = flat.float()
    TENSORS[f"{name}/y"] = join(results.values())
    return results


def case(op, f, *inputs, **params):
    """Records one call. `f` takes the inputs and returns the value, or a tuple of the value and untracked results."""
    name = f"{op}/{sum(c['op'] == op for c in CASES)}"
    x = [v.clone().requires_grad_() for v in inputs]
    results = f(*x)
    y, *others = results if isinstance(results, tuple) else (results,)
    seed = direction(y.shape, 0).requires_grad_()
    g, h, hd = [None] * len(x), [None] * len(x), None
    if y.requires_grad:
        g = torch.autograd.grad((y * seed).sum(), x, create_graph=True, allow_unused=True)
    second = sum((gj * direction(gj.shape, j + 1)).sum() for j, gj in enumerate(g) if gj is not None)
    if torch.is_tensor(second) and second.requires_grad:
        *h, hd = torch.autograd.grad(second, [*x, seed], allow_unused=True)
    results = {"y": y}
    results |= {f"y{i + 1}": v for i, v in enumerate(others)}
    results |= {f"g{j}": v for j, v in enumerate(g)}
    results |= {f"h{j}": v for j, v in enumerate(h)}
    results = store(name, inputs, results | {"hd": hd})
    shapes = {"inputs": [list(v.shape) for v in inputs], "output": list(y.shape), "others": [list(v.shape) for v in others]}
    CASES.append({"name": name, "op": op, "params": params, **shapes, "results": list(results)})


def record(kind, given, results, **params):
    """Records one run: named tensors in, named tensors out."""
    name = f"{kind}/{sum(c['kind'] == kind for c in CASES)}"
    results = store(name, list(given.values()), results)
    shapes = lambda tensors: [[key, list(v.shape)] for key, v in tensors.items()]
    CASES.append({"name": name, "kind": kind, "params": params, "given": shapes(given), "results": shapes(results)})


def kept(module, name):
    """Whether the engine keeps this entry of the state: it counts batches only for plain averages over them."""
    owner, _, entry = name.rpartition(".")
    return entry != "num_batches_tracked" or module.get_submodule(owner).momentum is None


def randomize(module):
    """Gives the module a random state and returns what the engine keeps of it."""
    state = {}
    for name, value in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            if kept(module, name):
                state[f"state.{name}"] = value.double()
        else:
            low = (0.25, 2) if name.endswith("running_var") else (-1, 1)
            value.copy_(random(*value.shape, low=low[0], high=low[1]))
            state[f"state.{name}"] = value.clone()
    return state


def buffers(module):
    return {f"after.{k}": v.clone() for k, v in module.named_buffers() if kept(module, k)}


def derivatives(kind, module, forward, inputs, **params):
    """Records the outputs, buffers, first and second derivatives of a module in a random state."""
    state = randomize(module)
    x = {f"x{i}": v.clone().requires_grad_() for i, v in enumerate(inputs)}
    outputs = forward(*x.values())
    results = {f"y{k}": y for k, y in enumerate(outputs)} | buffers(module)
    wrt = x | dict(module.named_parameters())
    loss = sum((y * direction(y.shape, k)).sum() for k, y in enumerate(outputs))
    first = torch.autograd.grad(loss, wrt.values(), create_graph=True)
    second = sum((g * direction(g.shape, j + 1)).sum() for j, g in enumerate(first))
    h = [None] * len(wrt)
    if second.requires_grad:
        h = torch.autograd.grad(second, wrt.values(), allow_unused=True)
    results |= {f"g.{name}": g for name, g in zip(wrt, first)} | {f"h.{name}": g for name, g in zip(wrt, h)}
    record(kind, {f"x{i}": v for i, v in enumerate(inputs)} | state, results, **params)


def save(path):
    path.parent.mkdir(exist_ok=True)
    manifest = json.dumps({"torch": torch.__version__, "cases": CASES}, separators=(",", ":"))
    save_file(TENSORS, path, metadata={"manifest": manifest})
    print(f"{path.name}: {len(CASES)} cases, {path.stat().st_size} bytes")


def save_operations(part):
    """Writes the cases to fixtures/ops/<part>.safetensors; the test `parity` reads all files there."""
    save(FIXTURES / "ops" / f"{part}.safetensors")


def save_records(part):
    """Writes the runs to fixtures/layers/<part>.safetensors; the test `layers` reads all files there."""
    save(FIXTURES / "layers" / f"{part}.safetensors")
