"""Single operations beside PyTorch: runs the binary `operations` and PyTorch in turn, on the same shapes.

    pip install torch
    python benches/operations_torch.py [--threads N] [--secs S] [--rounds R] [--below RATIO] [--random COUNT [--seed SEED] [--sizes SIZE,..]] [NAME]

prints for each operation that has NAME in its call, forward alone and with backward, the shortest time of both in microseconds, and
PyTorch's over Chainrule's: above 1, Chainrule is faster. `--below` leaves out those of which both ratios are higher. `--random` takes so
many operations on random shapes instead, those of them that `--sizes` settles: `--random 1 --sizes 4096,13 layer_norm`.
"""

import ast

import beside

parser = beside.parser_in_turn(__doc__)
parser.add_argument("--below", type=float, default=float("inf"))
beside.add_random(parser)
parser.add_argument("--sizes", help="the first sizes of random operations")
args = parser.parse_args()
cores = beside.pin(args.threads)

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

BINARY = ["cargo", "run", "-q", "--release", "-p", "chainrule-benches", "--bin", "operations", "--"]


def ours():
    """Calls with their shapes and setup, and the milliseconds of forward and of both passes."""
    options = ["--threads", str(args.threads), "--secs", str(args.secs), args.name]
    if args.random:
        options += ["--random", str(args.random), "--seed", str(args.seed), *(["--sizes", args.sizes] if args.sizes else [])]
    for line in beside.printed([*BINARY, *options], cores):
        call, shapes, setup, *times = line.split("\t")
        yield (call, shapes, setup), [float(t) for t in times]


def places(count, below):
    return torch.arange(count) * 7919 % below


def fastest(work):
    return beside.fastest(work, args.secs)


def theirs(name):
    call, shapes, setup = name
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
best = beside.in_turn(args.rounds, ours, theirs)
print("us: Chainrule, PyTorch, ratio; forward, forward and backward")
for (call, shapes, _), (mine, other) in best.items():
    if min(o / m for m, o in zip(mine, other)) < args.below:
        columns = "".join(f"{m * 1e3:>11.1f}{o * 1e3:>10.1f}{o / m:>7.2f}x" for m, o in zip(mine, other))
        print(f"{call + '  ' + shapes:<80}{columns}")
