"""Memory that one step frees serves the next one."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
from resource import RUSAGE_SELF, getrusage

import torch

from lightning_gen.cli.memory import keep_freed_memory


def faults() -> int:
    torch.ones(2**22)
    before = getrusage(RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(2**22)  # 16 MiB, 4,096 pages
    return getrusage(RUSAGE_SELF).ru_minflt - before


given_back = faults()
keep_freed_memory()
print(given_back, faults())
"""


def faults(**environment: str) -> tuple[int, int]:
    """Page faults of ten steps before and after the call."""
    run = [sys.executable, "-c", PROGRAM]
    said = subprocess.run(run, capture_output=True, text=True, check=True, env=environment)
    before, after = map(int, said.stdout.split())
    return before, after


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc alone is told so")
def test_freed_memory_is_kept_unless_the_environment_says_otherwise() -> None:
    given_back, kept = faults()
    assert kept < 100 < 10_000 < given_back
    _, kept = faults(MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="131072")
    assert kept > 10_000
