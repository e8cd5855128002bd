"""Kill and resume a training repeatedly, and compare it with an uninterrupted one.

`python scripts/kill_and_resume.py --kills 20` trains the GAN on the bundled digits twice: once
without interruption, and once with SIGKILL to all its processes at random times, resumed with
`--ckpt_path last`. Prints a row per kill, and whether weights, optimizers and metrics agree.
"""

import argparse
import difflib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
TRAIN = [
    *(sys.executable, "-u", str(ROOT / "train.py"), "fit"),
    *("--model", "GAN", "--data", "MNISTDataModule", "--data.subset", "12k"),
    *("--trainer.accelerator", "cpu", "--trainer.log_every_n_steps", "10"),
    *("--checkpoint.every_n_train_steps", "25"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="seed of the times of the kills")
    args = parser.parse_args()
    flags = ["--trainer.max_epochs", str(args.epochs), "--trainer.devices", str(args.processes)]
    train, rng = [*TRAIN, *flags], random.Random(args.seed)

    with tempfile.TemporaryDirectory() as scratch:
        alone, killed = Path(scratch, "alone"), Path(scratch, "killed")
        subprocess.run([*train, "--trainer.default_root_dir", str(alone)], check=True, stdout=2)
        command = [*train, "--trainer.default_root_dir", str(killed), "--ckpt_path", "last"]
        print("| kill | seconds into training | resumed from batch |\n|---|---|---|")
        for number in range(1, args.kills + 1):
            after = rng.uniform(0.2, 5.0)
            if not kill_after(command, after):
                print(f"| {number} | training finished within {after:.1f} s | |")
                break
            print(f"| {number} | {after:.1f} | {newest(killed)} |", flush=True)
        subprocess.run(command, check=True, stdout=2)
        print(f"\nweights and optimizers bit-identical: {same(alone, killed)}")
        print(f"metrics.csv identical: {metrics(alone) == metrics(killed)}")
        for line in difflib.ndiff(metrics(alone).splitlines(), metrics(killed).splitlines()):
            if line[0] in "+-":
                print(line)


def kill_after(command: list[str], seconds: float) -> bool:
    """Kill the process group after this time of training; return False if it had finished."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    assert process.stdout
    for line in process.stdout:
        if b"Total Flops" in line or b"Trainable params" in line:
            break
    time.sleep(seconds)
    finished = process.poll() is not None
    if not finished:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return not finished


def newest(folder: Path) -> str:
    """Return the batch in the newest checkpoint's file name."""
    names = [path.name for path in folder.glob("*/*/checkpoints/epoch*.ckpt")]
    batches = [int(match[1]) for name in names if (match := re.search(r"step=(\d+)", name))]
    return str(max(batches, default=0))


def same(a: Path, b: Path) -> bool:
    """Return True if the final checkpoints have equal weights, optimizers and steps."""
    states = []
    for folder in (a, b):
        (path,) = folder.glob("*/*/checkpoints/last.ckpt")
        states.append(torch.load(path, weights_only=True))
    keys = ("state_dict", "optimizer_states", "global_step")
    return all(equal(states[0][key], states[1][key]) for key in keys)


def equal(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


def metrics(folder: Path) -> str:
    (path,) = folder.glob("*/*/metrics.csv")
    return path.read_text()


if __name__ == "__main__":
    main()
