# SPDX-License-Identifier: MIT
"""Training steps of this library and of PyTorch, in turn: one step of each, round after round.

    peer.py --ours build/bench/bench_step [--only F,T,S] [--threads 1,2] [--seconds 10] [--modes eager,compile] [--dtypes fp32,bf16]

Each side is a process of its own that runs one step for each line it is sent (bench_step --serve, peer_model.py), so
that its memory is measured alone: by how much the process has grown at most over what it held before its model was made.
That is weights, gradients, AdamW's moments, activations and working memory, and for torch.compile what the compiler
leaves behind, but neither torch itself nor the interpreter. `ratio` is how many times as many images this library
trains in the same time, the median over rounds. A line of JSON for each row goes to peer.jsonl next to bench_step.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

try:
    import torch
except ImportError:
    torch = None


class Side:
    """A process that runs one step for each line."""

    def __init__(self, name, command, threads):
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), TORCHINDUCTOR_COMPILE_THREADS="1")
        self.name, self.ms, self.bytes = name, [], 0
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environment
        )
        first = self.process.stdout.readline()
        self.about = json.loads(first) if first.startswith("{") else None

    def why_not(self):
        """The last that a process said that did not come to serve, or None."""
        if self.about:
            return None
        self.process.wait()
        self.errors.seek(0)
        return (self.errors.read().strip().splitlines() or ["it ended"])[-1]

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self):
        if self.process.poll() is None:
            self.process.communicate()


def start_sides(model, threads, options):
    ours = [options.ours, "--serve", "--only", model, "--threads", str(threads)]
    if options.cpu_time:
        ours += ["--cpu-time"]
    for setting in options.set:
        ours += ["--set", setting]
    yield Side("libtgrmoe", ours, threads)
    for dtype in options.dtypes.split(","):
        for mode in options.modes.split(","):
            # AdamW's two implementations are tried where nothing else differs; the better one is the eager fp32 to beat.
            for adamw in ("fused", "foreach") if mode == "eager" and dtype == "fp32" else ("fused",):
                serve = [sys.executable, __file__, "--serve", model, str(threads), mode, dtype, adamw]
                serve += ["--cpu-time"] if options.cpu_time else []
                yield Side(f"{mode} {dtype} {adamw}", serve, threads)


def compare(model, threads, options, results):
    sides = []
    for side in start_sides(model, threads, options):
        if side.why_not():
            print(f"{model:8} {threads:7} {side.name:20} does not run: {side.why_not()}", flush=True)
        else:
            sides.append(side)
    end = time.monotonic() + options.seconds
    ours = sides[0]
    ours.ask("train")
    while len(ours.ms) < 3 or time.monotonic() < end:
        for side in sides:
            side.ms.append(side.ask("train"))
            time.sleep(0.02)  # threads of the last side that still spin go to sleep
    for side in sides:
        side.bytes = side.ask("memory")
        side.end()
    for side in sides:
        ms = statistics.median(side.ms)
        row = {
            "name": model,
            "config": side.name,
            "threads": threads,
            "ms": ms,
            "ms_fastest": min(side.ms),
            "img_per_s": 1e3 * ours.about["batch"] / ms,
            "gflops": 3e-6 * ours.about["forward_flops"] / ms,
            "bytes_grown": side.bytes,
            "ratio": statistics.median(theirs / mine for theirs, mine in zip(side.ms, ours.ms)),
            "ratio_fastest": min(side.ms) / min(ours.ms),
            "memory_ratio": ours.bytes / side.bytes,
        }
        results.write(json.dumps(row) + "\n")
        print(
            f"{model:8} {threads:7} {side.name:20} {row['img_per_s']:8.1f} {row['gflops']:8.1f} {ms:9.1f} "
            f"{row['ms_fastest']:10.1f} {row['ratio']:7.2f} {row['ratio_fastest']:11.2f} "
            f"{side.bytes / 1e6:9.0f} {row['memory_ratio']:9.2f}",
            flush=True,
        )


def main():
    if sys.argv[1:2] == ["--serve"]:
        import peer_model

        model, threads, mode, dtype, adamw, *cpu_time = sys.argv[2:]
        peer_model.serve(model, int(threads), mode == "compile", dtype, adamw, bool(cpu_time))
        return
    every = sorted({1, len(os.sched_getaffinity(0))})
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True)
    parser.add_argument("--only", default="F,T,S")
    parser.add_argument("--threads", default=",".join(map(str, every)))
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--modes", default="eager,compile")
    parser.add_argument("--dtypes", default="fp32,bf16")
    parser.add_argument("--cpu-time", action="store_true", help="processor time of 1 thread, for a busy machine")
    parser.add_argument("--set", action="append", default=[], help="an option of ours, key=value")
    options = parser.parse_args()
    if options.cpu_time:
        options.threads = "1"
    if torch is None:
        print(f"{sys.executable} has no PyTorch: there is nothing to compare with")
        return
    print(f"PyTorch {torch.__version__}; ratio: our images per second over theirs; memory: ours over theirs")
    print(
        f"{'model':8} {'threads':>7} {'side':20} {'img/s':>8} {'GFLOP/s':>8} {'ms':>9} {'ms fastest':>10} "
        f"{'ratio':>7} {'of fastest':>11} {'MB grown':>9} {'memory':>9}"
    )
    with open(os.path.join(os.path.dirname(options.ours), "peer.jsonl"), "w") as results:
        for model in options.only.split(","):
            for threads in map(int, options.threads.split(",")):
                compare(model, threads, options, results)


if __name__ == "__main__":
    main()
