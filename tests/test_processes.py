"""Training in several processes is one training, and no process waits for another."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy
from torch import nn

from lightning_gen.errors import UserError
from lightning_gen.models.base.trainer_checks import check_strategy
from tests import in_processes
from tests.command_line import ROOT
from tests.test_docs import IN_PROCESSES

Results = dict[str, Any]


class Runs(NamedTuple):
    """Results of one process, and of two processes that share its batches.

    Attributes:
        process: the process that started the two, which end with a NaN loss.
    """

    one: Results
    two: tuple[Results, Results]
    process: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    out = tmp_path_factory.mktemp("runs")
    one = {
        "GAN": in_processes.train_gan(1, out),
        "spectral_norm": in_processes.train_gan(1, out, spectral_norm=True),
    }
    process = subprocess.run(
        [sys.executable, in_processes.__file__, str(out)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    files = [out / f"{rank}.pt" for rank in range(2)]
    assert all(file.exists() for file in files), process.stderr
    a, b = map(torch.load, files)
    return Runs(one, (a, b), process)


@pytest.mark.parametrize(
    ("whole", "distributed"),
    [
        ("GAN", "GAN"),
        ("GAN", "micro_batches"),
        ("spectral_norm", "spectral_norm"),
        ("spectral_norm", "micro_batches_spectral_norm"),
    ],
)
def test_two_processes_with_half_batches_equal_one(
    runs: Runs, whole: str, distributed: str
) -> None:
    """Half batches of 4 images, whole or in micro-batches of 3 and 1."""
    one, two = runs.one[whole], runs.two[0][distributed]
    assert one["steps"] == two["steps"] == 12
    for name, weights in one["weights"].items():
        assert torch.allclose(weights, two["weights"][name], rtol=0, atol=1e-6), name


def test_weights_and_their_average_are_equal_in_all_processes(runs: Runs) -> None:
    a, b = runs.two
    assert any(name.startswith("average.") for name in a["GAN"]["weights"])
    for name, weights in a["GAN"]["weights"].items():
        assert torch.equal(weights, b["GAN"]["weights"][name]), name


def test_validation_is_averaged_over_processes(runs: Runs) -> None:
    one, a, b = (run["GAN"]["val"] for run in (runs.one, *runs.two))
    assert a == b
    assert a == pytest.approx(one.item(), abs=1e-5)


def test_noise_differs_between_processes(runs: Runs) -> None:
    a, b = runs.two
    assert not torch.equal(a["noise"], b["noise"])


def test_a_nan_loss_stops_all_processes(runs: Runs) -> None:
    assert runs.process.returncode != 0
    assert "NonFiniteLossError" in runs.process.stderr
    assert "in epoch 0, batch 2" in runs.process.stderr


def test_translation_models_are_equal_but_each_process_has_its_own_pools(runs: Runs) -> None:
    a, b = runs.two
    for name in ("CycleGAN", "Pix2Pix"):
        parameters = [key for key in a[name] if "running" not in key]
        assert all(torch.equal(a[name][key], b[name][key]) for key in parameters)
    assert not torch.equal(a["pools"][0], b["pools"][0])
    for process in (a, b):
        for pool, restored in zip(process["pools"], process["restored"], strict=True):
            assert torch.equal(pool, restored)


def test_the_command_line_selects_the_strategy(tmp_path: Path) -> None:
    script, *flags = IN_PROCESSES.split()
    run = subprocess.run(
        [sys.executable, str(ROOT / script), *flags, "--trainer.max_steps", "4"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert run.returncode == 0, run.stderr
    assert "ddp_find_unused_parameters_true" in run.stdout
    assert run.stdout.count("Trained for 4 batches") == 1
    (folder,) = (tmp_path / "runs" / "gan-mnist").iterdir()
    assert (folder / "checkpoints" / "last.ckpt").exists()
    assert len(list(folder.glob("images/samples/*.png"))) == 1


def test_unsupported_strategies_are_rejected_with_an_alternative() -> None:
    with pytest.raises(UserError, match="ddp_find_unused_parameters_true"):
        check_strategy(FSDPStrategy())
    plain = DDPStrategy()
    plain.model = nn.Linear(1, 1)
    plain.model.find_unused_parameters = False
    with pytest.raises(UserError, match="ddp_find_unused_parameters_true"):
        check_strategy(plain)
    plain.model.find_unused_parameters = True
    check_strategy(plain)
