"""What the scripts that measure PyTorch share. To be imported before torch."""

import argparse
import os
import subprocess
import time


def pin(threads):
    """Keeps every thread of PyTorch on a core of its own: OpenMP reads this when torch is loaded. Gives the cores."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    os.environ["OMP_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = str(threads)
    os.environ["OMP_PROC_BIND"] = "true"
    os.environ["GOMP_CPU_AFFINITY"] = " ".join(map(str, cores))
    return cores


def parser(description, secs, what):
    """A parser of the arguments that all have; `what` is measured for `secs` seconds unless told otherwise."""
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--threads", type=int, default=2)
    result.add_argument("--secs", type=float, default=secs, help=f"for each {what}")
    return result


def parser_in_turn(description):
    """A parser for scripts that run both sides in turn, on all that has a given name."""
    result = parser(description, 0.1, "pass and round")
    result.add_argument("--rounds", type=int, default=2)
    result.add_argument("name", nargs="?", default="")
    return result


def add_random(result):
    """Lets a parser ask for random shapes."""
    result.add_argument("--random", type=int, default=0, metavar="COUNT")
    result.add_argument("--seed", type=int, default=0)


def printed(command, cores):
    """The lines that a command prints; it may use all `cores`, though OpenMP has bound this thread to one of them."""
    free = lambda: os.sched_setaffinity(0, cores)  # noqa: E731
    return subprocess.run(command, preexec_fn=free, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()


def fastest(work, secs):
    """The shortest time of `work` within so many seconds, in milliseconds."""
    for _ in range(3):
        work()
    start, best = time.perf_counter(), float("inf")
    while time.perf_counter() - start < secs:
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return best * 1e3


def in_turn(rounds, ours, theirs):
    """Runs both sides in turn; gives for each name that `ours` yields with its times, the shortest times of both."""
    best = {}
    for _ in range(rounds):
        for name, times in ours():
            pair = [times, theirs(name)]
            best[name] = [[min(t) for t in zip(*both)] for both in zip(best.get(name, pair), pair)]
    return best
