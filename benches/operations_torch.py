"""Single operations beside PyTorch: runs the binary `operations` and PyTorch in turn, on the same shapes.

    pip install torch
    python benches/operations_torch.py [--threads N] [--secs S] [--rounds R] [--below RATIO] [NAME]

prints for each operation that has NAME in its call, forward alone and with backward, the shortest time of both in microseconds, and
PyTorch's over Chainrule's: above 1, Chainrule is faster. `--below` leaves out those of which both ratios are higher.
"""

import argparse
import ast
import os
import subprocess
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--secs", type=float, default=0.1, help="for each pass and round")
parser.add_argument("--rounds", type=int, default=2)
parser.add_argument("--below", type=float, default=float("inf"))
parser.add_argument("name", nargs="?", default="")
args = parser.parse_args()

# OpenMP reads these when torch is loaded: every thread stays on a core of its own.
cores = sorted(os.sched_getaffinity(0))[: args.threads]
os.environ["OMP_NUM_THREADS"] = str(args.threads)
os.environ["OMP_PROC_BIND"] = "true"
os.environ["GOMP_CPU_AFFINITY"] = " ".join(map(str, cores))

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

BINARY = ["cargo", "run", "-q", "--release", "-p", "chainrule-benches", "--bin", "operations", "--"]


def ours():
    """Calls with their shapes and setup, and the milliseconds of forward and of both passes."""
    # OpenMP has bound this thread to one core, which children would inherit.
    free = lambda: os.sched_setaffinity(0, cores)  # noqa: E731
    command = [*BINARY, str(args.threads), str(args.secs), args.name]
    for line in subprocess.run(command, preexec_fn=free, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines():
        call, shapes, setup, *times = line.split("\t")
        yield (call, shapes, setup), [float(t) for t in times]


def places(count, below):
    return torch.arange(count) * 7919 % below


def fastest(work):
    for _ in range(3):
        work()
    start, best = time.perf_counter(), float("inf")
    while time.perf_counter() - start < args.secs:
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return best * 1e3


def theirs(call, shapes, setup):
    names = {"torch": torch, "F": F, "places": places}
    exec(setup, names)
    function = eval(f"lambda x: {call}", names)
    x = [torch.rand(shape) * 2 - 1 for shape in ast.literal_eval(shapes)]
    with torch.no_grad():
        forward = fastest(lambda: function(x))
        seed = torch.ones_like(function(x))
    for t in x:
        t.requires_grad = True
    return [forward, fastest(lambda: torch.autograd.grad(function(x), x, seed))]


torch.set_num_threads(args.threads)
best = {}
for _ in range(args.rounds):
    for name, times in ours():
        pair = [times, theirs(*name)]
        best[name] = [[min(t) for t in zip(*both)] for both in zip(best.get(name, pair), pair)]
print("us: Chainrule, PyTorch, ratio; forward, forward and backward")
for (call, shapes, _), (mine, other) in best.items():
    if min(o / m for m, o in zip(mine, other)) < args.below:
        columns = "".join(f"{m * 1e3:>11.1f}{o * 1e3:>10.1f}{o / m:>7.2f}x" for m, o in zip(mine, other))
        print(f"{call + '  ' + shapes:<80}{columns}")
