"""Chainrule against other engines: the same workloads in turn, and the table of docs/performance.md.

    python3 benches/compare.py --peers torch,candle,burn --torch venv/bin/python [--rounds 3] [--secs 2] [--write] [PREFIX ..]

Builds the runners, then for each workload calls every engine in a process of its own, one after the other, round after
round (A B C, A B C, ..), so that all of them meet the same changes of the machine's speed. The nets and inputs of the first
call are handed to the others: the losses of the first two steps must agree, or the comparison ends with an error.

A ratio is the median over the rounds of (theirs / Chainrule's), each of medians taken side by side. With --write the table
replaces the one in docs/performance.md.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
OURS = "chainrule"
# How far losses may lie apart, relatively: the first comes from the forward pass, the second also from backward and update.
TOLERANCE = (1e-4, 1e-2)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="candle", help="any of torch, candle, burn, separated by commas")
    parser.add_argument("--torch", default=sys.executable, metavar="PYTHON", help="a Python that has PyTorch")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secs", type=float, default=2.0)
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    parser.add_argument("prefix", nargs="*")
    return parser.parse_args()


def build(peers):
    """The command of each engine."""
    quiet = ["cargo", "build", "--release", "--quiet"]
    subprocess.run([*quiet, "-p", "chainrule-benches", "--bin", "workloads"], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    commands = {OURS: [target / "release" / "workloads", "--json"]}
    for peer in peers:
        if peer == "torch":
            commands[peer] = [args.torch, ROOT / "benches" / "pytorch.py"]
        else:
            package = ROOT / "benches" / "peers"
            binary = f"peer-{peer}"
            manifest = ["--manifest-path", package / "Cargo.toml", "--locked", "--features", peer, "--bin", binary]
            subprocess.run([*quiet, *manifest], check=True)
            target = Path(os.environ.get("CARGO_TARGET_DIR", package / "target"))
            commands[peer] = [target / "release" / binary]
    return commands


def call(command, workload, extra):
    """One engine on one workload: its row. None if it does not have the workload."""
    options = ["--exact", "--threads", str(args.threads), "--secs", str(args.secs), *extra, workload]
    environment = os.environ | {"RAYON_NUM_THREADS": str(args.threads)}
    result = subprocess.run([*map(str, command), *options], stdout=subprocess.PIPE, env=environment, text=True)
    if result.returncode != 0:
        sys.exit(f"{command[-1]} failed on {workload}")
    return json.loads(result.stdout) if result.stdout.strip() else None


def check_losses(workload, peer, ours, theirs):
    """Both sides started from the same numbers, so they agree."""
    for step, (a, b, tolerance) in enumerate(zip(ours["losses"], theirs["losses"], TOLERANCE)):
        if a is None or b is None or abs(a - b) > tolerance * max(abs(a), abs(b)):
            sys.exit(f"{workload}: the loss of step {step} is {a} in Chainrule and {b} in {peer}")


def compare(commands, workload, folder):
    """All rows of each engine for one workload, round by round."""
    rows = {engine: [] for engine in commands}
    for turn in range(args.rounds):
        for engine, command in commands.items():
            if engine == OURS:
                extra = ["--export", folder] if turn == 0 else []
            else:
                extra = ["--weights", folder]
            if turn > 0 and not rows[engine]:
                continue
            row = call(command, workload, extra)
            if row is not None:
                rows[engine].append(row)
                if engine != OURS and turn == 0:
                    check_losses(workload, engine, rows[OURS][0], row)
    return rows


def number(x):
    """Three digits that count."""
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}" if x >= 1 else f"{x:.3f}"


def headings(peers):
    cells = ["workload", "Chainrule ms", "GFLOP/s", "% of peak", "MB"]
    for peer in peers:
        cells += [f"{peer} ms", "ratio", "MB"]
    return [row_of(cells), row_of(["---"] + ["---:"] * (len(cells) - 1))]


def row_of(cells):
    return "| " + " | ".join(cells) + " |"


def line(workload, rows, peers):
    ours = rows[OURS]

    def middle(rows, key):
        return median(row[key] for row in rows)

    cells = [f"`{workload}`", number(middle(ours, "median_ms")), number(middle(ours, "gflops"))]
    cells += [f"{middle(ours, 'percent_of_peak'):.0f}", number(middle(ours, "peak_mb"))]
    for peer in peers:
        theirs = rows[peer]
        if theirs:
            ratio = median(b["median_ms"] / a["median_ms"] for a, b in zip(ours, theirs))
            cells += [number(middle(theirs, "median_ms")), f"{number(ratio)}x", number(middle(theirs, "peak_mb"))]
        else:
            cells += ["", "", ""]
    return row_of(cells)


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def write(table, peers, versions):
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    command = f"python3 benches/compare.py --peers {','.join(peers)} --rounds {args.rounds} --secs {args.secs} --write"
    note = (
        f"{processor()}, {args.threads} threads, {date.today().isoformat()}: `{' '.join([command, *args.prefix])}`. A ratio is "
        f"their time over Chainrule's: above 1, Chainrule is faster. MB is the peak memory of the process. {', '.join(versions)}."
    )
    PAGE.write_text(f"{before}{BEGIN}\n{note}\n\n{table}\n{END}{after}")


def main():
    peers = [peer for peer in args.peers.split(",") if peer]
    unknown = set(peers) - {"torch", "candle", "burn"}
    if unknown:
        sys.exit(f"no such peer: {', '.join(sorted(unknown))}")
    commands = build(peers)
    names = [*map(str, commands[OURS]), "--list", *args.prefix]
    workloads = subprocess.run(names, check=True, capture_output=True, text=True).stdout.split()
    table, versions = headings(peers), set()
    print(*table, sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for workload in workloads:
            rows = compare(commands, workload, folder)
            versions |= {f"{row['impl']} {row['version']}" for row in sum(rows.values(), []) if "version" in row}
            table.append(line(workload, rows, peers))
            print(table[-1], flush=True)
    if args.write:
        write("\n".join(table), peers, sorted(versions))


args = arguments()
main()
