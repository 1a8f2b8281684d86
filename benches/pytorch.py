"""PyTorch on the workloads of `src/workload.rs`: one line of JSON for each.

    pip install torch numpy
    python benches/pytorch.py [--threads N] [--secs S] [--compile] [--exact] [--weights DIR] [PREFIX ..]

With --weights the nets and their inputs are read from the files that the runner's --export has written, so that both sides
start from the same numbers; the losses of the first steps then show that both compute the same thing.

gemm_MxKxN measures that product; a t behind it transposes the second factor, a T the first, as in the kernels' `gemm_rate`.
"""

import json
import os
import re
import resource
import statistics
import struct
import time
from pathlib import Path

import beside

parser = beside.parser(__doc__, 3.0, "workload")
parser.add_argument("--compile", action="store_true", help="through torch.compile instead of eagerly")
parser.add_argument("--exact", action="store_true", help="run only the workloads whose whole names are given")
parser.add_argument("--weights", type=Path, metavar="DIR", help="files to start from")
parser.add_argument("prefix", nargs="*")
args = parser.parse_args()

beside.pin(args.threads)

import torch  # noqa: E402
import torch.nn as nn  # noqa: E402
import torch.nn.functional as F  # noqa: E402

WARM_UP = 5
GEMMS = {f"gemm_{n}": (n, n, n) for n in (64, 128, 256, 512, 1024, 2048)} | {
    f"gemm_{m}x{k}x{n}": (m, k, n) for m, k, n in ((64, 784, 512), (1024, 512, 256), (32, 256, 1024))
}


class LstmRegressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.LSTM(64, 256, batch_first=True)
        self.o = nn.Linear(256, 1)

    def forward(self, x):
        return self.o(self.l(x)[0][:, -1])


class CharLstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Embedding(65, 128)
        self.l = nn.LSTM(128, 256, num_layers=2, batch_first=True)
        self.o = nn.Linear(256, 65)

    def forward(self, x):
        return self.o(self.l(self.e(x))[0]).flatten(0, 1)


class Transformer(nn.Module):
    """1000 tokens, width 256, 4 pre-norm layers of 4 heads, learned positions."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(1000, 256)
        self.positions = nn.Parameter(torch.randn(128, 256) * 0.02)
        layer = nn.TransformerEncoderLayer(256, 4, 1024, 0.0, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.head = nn.Linear(256, 1000)

    def forward(self, x):
        return self.head(self.encoder(self.tokens(x) + self.positions)).flatten(0, 1)


class Shortcut(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.c = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.b = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.b(self.c(x))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.c1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.b1 = nn.BatchNorm2d(outputs)
        self.c2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.b2 = nn.BatchNorm2d(outputs)
        same = inputs == outputs and stride == 1
        self.shortcut = None if same else Shortcut(inputs, outputs, stride)

    def forward(self, x):
        y = self.b2(self.c2(F.relu(self.b1(self.c1(x)))))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(64)
        sizes = ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))
        blocks = [block for i, o, s in sizes for block in (Block(i, o, s), Block(o, o, 1))]
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(512, 10)

    def forward(self, x):
        x = self.blocks(F.relu(self.norm(self.stem(x))))
        return self.head(x.mean((2, 3)))


def mlp():
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))


def cnn():
    convolutions = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    return nn.Sequential(*convolutions, nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10))


def tiny():
    return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))


def adam(net):
    return torch.optim.Adam(net.parameters(), 1e-3, fused=True)


def adamw(net):
    return torch.optim.AdamW(net.parameters(), 1e-3, fused=True)


def momentum(net):
    return torch.optim.SGD(net.parameters(), 0.1, 0.9)


def descent(net):
    return torch.optim.SGD(net.parameters(), 0.1)


def classes(count, *shape):
    return lambda: torch.randint(count, shape)


def normal(*shape):
    return lambda: torch.randn(*shape)


def labels(output, target):
    return F.cross_entropy(output, target.flatten())


# Net, input, target, loss, optimizer.
TRAINING = {
    "mlp_b64": (mlp, normal(64, 784), classes(10, 64), labels, adam),
    "mlp_b1024": (mlp, normal(1024, 784), classes(10, 1024), labels, adam),
    "cnn_b64": (cnn, normal(64, 1, 28, 28), classes(10, 64), labels, adam),
    "resnet18_b16": (ResNet18, normal(16, 3, 32, 32), classes(10, 16), labels, momentum),
    "lstm_b32": (LstmRegressor, normal(32, 50, 64), normal(32, 1), F.mse_loss, adam),
    "lstm_char_b32": (CharLstm, classes(65, 32, 64), classes(65, 32, 64), labels, adam),
    "transformer_b8": (Transformer, classes(1000, 8, 128), classes(1000, 8, 128), labels, adamw),
    "tiny_b32": (tiny, normal(32, 2), normal(32, 1), F.mse_loss, descent),
}
INFERENCE = {
    "infer_mlp_b1": (mlp, normal(1, 784)),
    "infer_cnn_b1": (cnn, normal(1, 1, 28, 28)),
    "infer_lstm_b1": (LstmRegressor, normal(1, 50, 64)),
}


def read_safetensors(path):
    """The tensors of a file: a length, a JSON header of names, shapes and places, the numbers."""
    data = bytearray(path.read_bytes())
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = memoryview(data)[8 + length :]

    def tensor(entry):
        begin, end = entry["data_offsets"]
        return torch.frombuffer(body[begin:end], dtype=torch.float32).reshape(entry["shape"]).clone()

    return {name: tensor(entry) for name, entry in header.items()}


def load(name, net, x, y):
    """The exported numbers instead of our own, where there are any."""
    path = args.weights and args.weights / f"{name}.safetensors"
    if not path or not path.exists():
        return x, y
    state = read_safetensors(path)
    new_x, new_y = state.pop("x").reshape(x.shape).to(x.dtype), state.pop("y").reshape(y.shape).to(y.dtype)
    if name == "lstm_char_b32":
        # PyTorch counts the layers of one module; the embedding has a module of its own.
        renamed = {"e": "e.weight"} | {f"l{i}.{p}_l0": f"l.{p}_l{i}" for i in (0, 1) for p in (
            "weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        state = {renamed.get(key, key): value for key, value in state.items()}
    missing, unexpected = net.load_state_dict(state, strict=False)
    assert not unexpected and all(key.endswith("num_batches_tracked") for key in missing), (missing, unexpected)
    return new_x, new_y


def measure(name, step, flops=None):
    losses = [loss.item() for loss in (step() for _ in range(WARM_UP)) if loss is not None]
    times, begin = [], time.perf_counter()
    while len(times) < 20 or time.perf_counter() - begin < args.secs:
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e3)
    median = statistics.median(times)
    row = {
        "impl": "pytorch-compile" if args.compile else "pytorch",
        "version": torch.__version__,
        "workload": name,
        "threads": args.threads,
        "median_ms": round(median, 5),
        "min_ms": round(min(times), 5),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1),
        "losses": losses,
    }
    if flops:
        row["gflops"] = round(flops / median / 1e6, 1)
    print(json.dumps(row), flush=True)


def gemm(name, m, k, n):
    a = torch.randn(k, m).T if name.endswith("T") else torch.randn(m, k)
    b = torch.randn(n, k).T if name.endswith("t") else torch.randn(k, n)
    c = torch.empty(m, n)

    def step():
        torch.mm(a, b, out=c)

    measure(name, step, 2 * m * k * n)


def train(name, build, make_x, make_y, criterion, make_optimizer):
    net = build().train()
    x, y = load(name, net, make_x(), make_y())
    optimizer = make_optimizer(net)

    def forward():
        return criterion(net(x), y)

    if args.compile:
        forward = torch.compile(forward)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = forward()
        loss.backward()
        optimizer.step()
        return loss

    measure(name, step)


def infer(name, build, make_x):
    net, x = build().eval(), make_x()
    forward = torch.compile(net) if args.compile else net

    def step():
        forward(x)

    with torch.inference_mode():
        measure(name, step)


def main():
    torch.set_num_threads(args.threads)
    for name in args.prefix:
        if sides := re.fullmatch(r"gemm_(\d+)x(\d+)x(\d+)[tT]?", name):
            GEMMS[name] = tuple(map(int, sides.groups()))
    tables = ((gemm, GEMMS), (train, TRAINING), (infer, INFERENCE))
    for run, table in tables:
        for name, arguments in table.items():
            wanted = (name == p if args.exact else name.startswith(p) for p in args.prefix)
            if not args.prefix or any(wanted):
                torch.manual_seed(0)
                run(name, *arguments)


main()
