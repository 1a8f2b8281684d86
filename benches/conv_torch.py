"""Convolutions and poolings beside PyTorch: runs the example `conv_rate` and PyTorch in turn, on the same shapes.

    pip install torch
    python benches/conv_torch.py [--threads N] [--secs S] [--rounds R] [--random COUNT [--seed SEED]] [NAME]

prints for each shape that has NAME in its name, or is NAME (`"8x3->64 64^2 7x7 s2 p3 d1 g1"`), and each pass, the shortest time of both in
milliseconds, and PyTorch's over Chainrule's: above 1, Chainrule is faster. `--random` takes so many convolutions of all kinds instead.
"""

import random
import re

import beside

parser = beside.parser_in_turn(__doc__)
beside.add_random(parser)
args = parser.parse_args()
cores = beside.pin(args.threads)

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

EXAMPLE = ["cargo", "run", "-q", "--release", "-p", "chainrule-kernels", "--example", "conv_rate", "--"]


def chosen(count, seed):
    """Names of random convolutions of 1 million to 4 billion multiplications."""
    dice = random.Random(seed)
    while count:
        batch, size = dice.choice([1, 1, 2, 4, 8, 16, 32]), dice.choice([7, 8, 13, 14, 17, 27, 28, 31, 32, 33, 48, 56, 64, 65, 96, 112, 128])
        inputs, outputs = dice.choice([1, 3, 3, 8, 16, 20, 32, 48, 64, 96, 128, 256]), dice.choice([8, 16, 24, 32, 64, 96, 128, 192, 256, 384])
        kernel, stride, dilation = dice.choice([1, 2, 3, 3, 3, 4, 5, 7, 11]), dice.choice([1, 1, 1, 2, 2, 3, 4]), dice.choice([1, 1, 1, 2, 3])
        groups, padding = dice.choice([1, 1, 1, 1, 2, 4, inputs]), dice.choice([0, dilation * (kernel - 1) // 2])
        room = size + 2 * padding - dilation * (kernel - 1) - 1
        work = batch * outputs * (room // stride + 1) ** 2 * inputs // groups * kernel**2
        if inputs % groups == 0 and outputs % groups == 0 and room >= 0 and 1e6 < work < 4e9:
            count -= 1
            yield f"{batch}x{inputs}->{outputs} {size}^2 {kernel}x{kernel} s{stride} p{padding} d{dilation} g{groups}"


def ours():
    """Names of shapes, and the milliseconds of their passes."""
    for name in list(chosen(args.random, args.seed)) or [args.name]:
        for line in beside.printed([*EXAMPLE, str(args.secs), name], cores):
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
