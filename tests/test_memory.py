"""Laws of a training on a CPU: train.py sets up its own process, and the package no other one."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning import Trainer

from lightning_gen.cli import main
from tests.command_line import FIT
from tests.conftest import small_gan

STATM = Path("/proc/self/statm")  # pages; the second number is that of the resident ones
PROGRAM = f"""
import torch
from pathlib import Path
from lightning_gen.cli.memory import keep_freed_memory

def kept():
    before = int(Path("{STATM}").read_text().split()[1])
    torch.ones(2**24)  # 64 MiB, freed at once
    return (int(Path("{STATM}").read_text().split()[1]) - before) * 4096 > 2**25

before = kept()
keep_freed_memory()
print(before, kept())
"""


@pytest.mark.skipif(not STATM.exists(), reason="the size of a process is read from /proc")
def test_freed_memory_is_kept_unless_the_environment_configures_malloc() -> None:
    for environment, expected in (
        ({}, "False True"),
        ({"MALLOC_TRIM_THRESHOLD_": "9"}, "False False"),
    ):
        run = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(
            run, capture_output=True, text=True, check=True, env=os.environ | environment
        )
        assert done.stdout.strip() == expected


@pytest.mark.usefixtures("in_an_empty_folder")
def test_fit_sets_up_its_process(capsys: Any) -> None:
    assert main(FIT) == 0
    assert os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] == "0"


def test_the_trainer_does_not(fit: Callable[..., Trainer]) -> None:
    before = dict(os.environ)
    fit(small_gan(), max_epochs=1)
    assert dict(os.environ) == before
