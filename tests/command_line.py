"""Short commands for tests of the command line, and folders to run them in."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lightning_gen.cli import main
from lightning_gen.cli.runs import FOLDER_VARIABLE

ROOT = Path(__file__).parents[1]
DATA = ["--data", "MNISTDataModule", "--data.subset", "12k"]
SMALL = ["--model.base_channels", "2", "--model.latent_dim", "4"]
BRIEF = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "3"]
BRIEF += ["--trainer.limit_val_batches", "1", "--trainer.accelerator", "cpu"]
FIT = ["fit", "--model", "DCGAN", *DATA, *SMALL, *BRIEF, "--trainer.log_every_n_steps", "1"]


def move_into(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Run commands in the folder; the end of the patch restores this process."""
    folder.mkdir(exist_ok=True)
    patch.chdir(folder)
    patch.setattr(sys, "argv", ["train.py"])
    patch.setattr(sys, "path", list(sys.path))
    patch.setenv(FOLDER_VARIABLE, "")
    patch.setenv("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # as Lightning sets it


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        move_into(folder, patch)
        yield


def only(pattern: str) -> Path:
    (path,) = Path.cwd().glob(pattern)
    return path


def trained(folder: Path, command: list[str]) -> str:
    """Run a command in the folder and return its checkpoint."""
    with inside(folder):
        assert main(command) == 0
        return str(only("runs/*/*/checkpoints/last.ckpt"))


def python(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *args], cwd=ROOT, capture_output=True, text=True)
