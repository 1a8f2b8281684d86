#!/usr/bin/env python3
"""Where the time of the workloads goes: shares of the samples that Linux's `perf` takes, by family of kernels.

    python3 benches/where.py [--threads N] [--secs S] [WORKLOAD ..]

Builds the runner with symbol names that tell generic kernels apart (in a target folder of its own), runs each workload under
`perf record` and prints a Markdown table.
"""

import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORKLOADS = "mlp_b64 mlp_b1024 cnn_b64 resnet18_b16 lstm_b32 lstm_char_b32 transformer_b8 infer_mlp_b1 infer_cnn_b1 infer_lstm_b1 tiny_b32"
# Modules of the kernels, and what they are called in the table.
FAMILIES = {
    "products": ["gemm"],
    "transforms": ["conv", "strided"],
    "gates": ["recurrent"],
    "attention": ["attention"],
    "elements": ["map", "relu", "mask", "random"],
    "norms, softmax": ["norm", "moments", "softmax"],
    "sums": ["reduce", "scan"],
    "pools, rows": ["pool", "index", "rows", "resample", "view", "sort"],
    "update": ["update"],
}
# Everything else: the rest of the program, copies and the system, threads that look for work.
ENGINE, MEMORY, WAITING = "engine", "memory", "waiting"


def family(symbol):
    """The family that a symbol's samples belong to; none for the measurement itself."""
    # A kernel's entry is called after the instruction set, and generic over the kernel.
    entry = re.search(r"(?:simd|lane::x86)::(?:avx\w+|portable)::<(.*)", symbol)
    module = re.search(r"chainrule_kernels::(?!gemm::registers)(?:simd::)?(\w+)", entry.group(1) if entry else symbol)
    if module:
        if module.group(1) == "peak":
            return None
        for name, modules in FAMILIES.items():
            if module.group(1) in modules:
                return name
    if re.search(r"mem(move|set|cpy|cmp)|clear_page|alloc|free|page_fault|buffer", symbol):
        return MEMORY
    if re.search(r"rayon|crossbeam|sched|futex|yield|syscall|parallel", symbol):
        return WAITING
    return ENGINE


def shares(runner, workload, arguments):
    """The milliseconds of a step, and the share of each family."""
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "perf.data")
        command = ["perf", "record", "-q", "-F", "1999", "-o", data, runner]
        command += ["--threads", str(arguments.threads), "--secs", str(arguments.secs), workload]
        table = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        command = ["perf", "report", "-i", data, "--no-children", "--sort", "symbol", "-F", "sample,symbol"]
        report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    counts = collections.Counter()
    for line in report.splitlines():
        sample = re.match(r"\s*(\d+)\s+\[[.k]\] (.*)", line)
        name = sample and family(sample.group(2))
        if name:
            counts[name] += int(sample.group(1))
    row = next(line.split() for line in table.splitlines() if line.startswith(workload))
    total = sum(counts.values())
    return row[2], {name: 100 * count / total for name, count in counts.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--secs", type=float, default=3.0)
    parser.add_argument("workloads", nargs="*", default=WORKLOADS.split())
    arguments = parser.parse_args()
    target = os.path.join(ROOT, "target", "where")
    environment = dict(os.environ, CARGO_TARGET_DIR=target, RUSTFLAGS="-C symbol-mangling-version=v0")
    build = ["cargo", "build", "-q", "--release", "-p", "chainrule-benches", "--bin", "workloads"]
    subprocess.run(build, check=True, cwd=ROOT, env=environment)
    runner = os.path.join(target, "release", "workloads")
    columns = [*FAMILIES, ENGINE, MEMORY, WAITING]
    print("| workload | ms |", " | ".join(columns), "|")
    print("|---|---:|" + "---:|" * len(columns))
    for workload in arguments.workloads:
        time, parts = shares(runner, workload, arguments)
        cells = [f"{parts[name]:.0f}" if parts.get(name, 0) >= 0.5 else "" for name in columns]
        print(f"| `{workload}` | {float(time):.3g} |", " | ".join(cells), "|")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
