"""Convolutions and poolings beside PyTorch: runs the example `conv_rate` and PyTorch in turn, on the same shapes.

    pip install torch
    python benches/conv_torch.py [--threads N] [--secs S] [--rounds R] [NAME]

prints for each shape that has NAME in its name, and each pass, the shortest time of both in milliseconds, and PyTorch's over
Chainrule's: above 1, Chainrule is faster.
"""

import re

import beside

args = beside.parser_in_turn(__doc__).parse_args()
cores = beside.pin(args.threads)

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

EXAMPLE = ["cargo", "run", "-q", "--release", "-p", "chainrule-kernels", "--example", "conv_rate", "--"]


def ours():
    """Names of shapes, and the milliseconds of their passes."""
    for line in beside.printed([*EXAMPLE, str(args.secs), args.name], cores):
        if "^2" in line:
            columns = line[40:].split()
            # Behind the time of a convolution stands its rate.
            yield line[:40].strip(), [float(c) for c in (columns if "planes" in line else columns[::2])]


def fastest(work):
    return beside.fastest(work, args.secs)


def theirs(name):
    n = [int(n) for n in re.findall(r"\d+", name)]
    if "planes" in name:
        planes, size, _, kernel, _, stride, padding = n
        x = torch.randn(1, planes, size, size)
        y, places = F.max_pool2d(x, kernel, stride, padding, return_indices=True)
        pair = lambda n: [n, n]  # noqa: E731
        maximum, mean = torch.ops.aten.max_pool2d_with_indices_backward, torch.ops.aten.avg_pool2d_backward
        return [
            fastest(lambda: F.max_pool2d(x, kernel, stride, padding, return_indices=True)),
            fastest(lambda: maximum(y, x, pair(kernel), pair(stride), pair(padding), [1, 1], False, places)),
            fastest(lambda: F.avg_pool2d(x, kernel, stride, padding)),
            fastest(lambda: mean(y, x, pair(kernel), pair(stride), pair(padding), False, True, None)),
        ]
    batch, inputs, outputs, size, _, kernel, _, stride, padding, dilation, groups = n
    x, w = torch.randn(batch, inputs, size, size), torch.randn(outputs, inputs // groups, kernel, kernel)
    b, rest = torch.randn(outputs), (stride, padding, dilation, groups)
    g = F.conv2d(x, w, b, *rest)
    return [
        fastest(lambda: F.conv2d(x, w, b, *rest)),
        fastest(lambda: torch.nn.grad.conv2d_input(x.shape, w, g, *rest)),
        fastest(lambda: torch.nn.grad.conv2d_weight(x, w.shape, g, *rest)),
    ]


torch.set_num_threads(args.threads)
with torch.no_grad():
    best = beside.in_turn(args.rounds, ours, theirs)
print("ms: Chainrule, PyTorch, ratio; forward, gradient of the input, gradient of the weights; maximum, its gradient, mean, its gradient")
for name, (mine, other) in best.items():
    print(f"{name:<40}" + "".join(f"{m:>10.3f}{o:>9.3f}{o / m:>6.2f}x" for m, o in zip(mine, other)))
