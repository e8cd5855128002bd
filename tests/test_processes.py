"""Training in several processes is one training, and no process waits for another."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy
from torch import nn

from lightning_gen.errors import UserError
from lightning_gen.models.base.trainer_checks import check_strategy
from tests.command_line import ROOT
from tests.test_docs import IN_PROCESSES


def train(out: Path, processes: int, *args: str, timeout: int = 200) -> Any:
    script = str(Path(__file__).with_name("in_processes.py"))
    return subprocess.run(
        [sys.executable, script, str(processes), str(out), *args],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def results(out: Path, processes: int) -> list[dict[str, Any]]:
    return [torch.load(out / f"{processes}-{rank}.pt") for rank in range(processes)]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, Any]]]:
    """Results of one process, and of two processes that share its batches."""
    out = tmp_path_factory.mktemp("both")
    for processes in (1, 2):
        run = train(out, processes)
        assert run.returncode == 0, run.stderr
    return [results(out, 1), results(out, 2)]


@pytest.mark.parametrize(
    ("whole", "distributed"),
    [
        ("GAN", "GAN"),
        ("GAN", "micro_batches"),
        ("spectral_norm", "spectral_norm"),
        ("spectral_norm", "micro_batches_spectral_norm"),
    ],
)
def test_two_processes_with_half_batches_equal_one(both: Any, whole: str, distributed: str) -> None:
    """Half batches of 4 images, whole or in micro-batches of 3 and 1."""
    (one,), two = both
    assert one[whole]["steps"] == two[0][distributed]["steps"] == 12
    for name, weights in one[whole]["weights"].items():
        assert torch.allclose(weights, two[0][distributed]["weights"][name], rtol=0, atol=1e-6), (
            name
        )


def test_weights_and_their_average_are_equal_in_all_processes(both: Any) -> None:
    _, (a, b) = both
    assert any(name.startswith("average.") for name in a["GAN"]["weights"])
    for name, weights in a["GAN"]["weights"].items():
        assert torch.equal(weights, b["GAN"]["weights"][name]), name


def test_validation_is_averaged_over_processes(both: Any) -> None:
    (one,), (a, b) = ([process["GAN"] for process in run] for run in both)
    assert a["val"] == b["val"]
    assert a["val"] == pytest.approx(one["val"].item(), abs=1e-5)


def test_noise_differs_between_processes(both: Any) -> None:
    _, (a, b) = both
    assert not torch.equal(a["noise"], b["noise"])


def test_a_nan_loss_stops_all_processes(tmp_path: Path) -> None:
    run = train(tmp_path, 2, "nan", timeout=100)
    assert run.returncode != 0
    assert "NonFiniteLossError" in run.stderr
    assert "in epoch 0, batch 2" in run.stderr


def test_translation_models_are_equal_but_each_process_has_its_own_pools(both: Any) -> None:
    _, (a, b) = both
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
    plain._model = nn.Linear(1, 1)
    plain._model.find_unused_parameters = False
    with pytest.raises(UserError, match="ddp_find_unused_parameters_true"):
        check_strategy(plain)
    plain._model.find_unused_parameters = True
    check_strategy(plain)
