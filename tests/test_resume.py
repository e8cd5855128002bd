"""Laws of resuming: a stopped run continues as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback

from lightning_gen import GAN
from lightning_gen.checkpoints import AtomicCheckpointIO, newest_checkpoint
from lightning_gen.cli import main
from scripts.kill_and_resume import equal
from tests.command_line import ROOT

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
RUN = [
    *("fit", "--model", "GAN", "--data", "MNISTDataModule", "--data.subset", "12k"),
    *("--model.generator_hidden_dims", "[16]", "--model.discriminator_hidden_dims", "[16]"),
    *("--model.schedule", "cosine", "--model.k", "2", "--ema.halflife", "1000"),
    *("--trainer.accelerator", "cpu", "--trainer.limit_train_batches", "12"),
    *("--trainer.max_epochs", "3", "--trainer.log_every_n_steps", "2"),
    *("--checkpoint.every_n_train_steps", "5"),
]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never stopped; the number of checkpoints and of workers changes nothing."""
    root = tmp_path_factory.mktemp("unbroken")
    assert main([*RUN, "--trainer.default_root_dir", str(root)]) == 0
    return root


def final(root: str | Path) -> dict[str, Any]:
    (path,) = Path(root).glob("*/*/checkpoints/last.ckpt")
    return torch.load(path, weights_only=True)


def metrics(root: str | Path) -> str:
    (path,) = Path(root).glob("*/*/metrics.csv")
    return path.read_text()


def agree(a: str | Path, b: str | Path) -> None:
    one, other = final(a), final(b)
    for key in ("state_dict", "optimizer_states", "lr_schedulers", "global_step"):
        assert equal(one[key], other[key]), key
    assert metrics(a) == metrics(b)


class Stop(Callback):
    """Stop this process at the start of a batch: by a signal, or by an error, which saves nothing.

    The batch is one of the training or, if negative, the first of the validation after it.
    """

    def __init__(self, batch: int, name: str = "error") -> None:
        self.batch, self.name = batch, name

    def stop(self) -> None:
        if self.name == "error":
            raise KeyboardInterrupt
        os.kill(os.getpid(), signal.Signals[self.name])

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.fit_loop.total_batch_idx == self.batch:
            self.stop()

    def on_validation_batch_start(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        if not trainer.sanity_checking and trainer.fit_loop.total_batch_idx == -self.batch:
            self.stop()


def stopping(batch: int, name: str) -> list[str]:
    callback = {"class_path": "tests.test_resume.Stop", "init_args": {"batch": batch, "name": name}}
    return ["--trainer.callbacks", json.dumps([callback])]


def stopped(run: list[str], batch: int, name: str = "error") -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
    with pytest.raises(SystemExit) as stop:
        main([*run, *stopping(batch, name)])
    assert stop.value.code == (143 if name == "SIGTERM" else 130)
    if name == "error":
        signal.signal(signal.SIGINT, signal.default_int_handler)  # Lightning leaves it ignored


@pytest.mark.parametrize(
    ("every", "batch", "workers"),
    [("5", 17, "0"), ("5", 17, "2"), ("12", 25, "0"), ("12", 25, "2"), ("12", -23, "0")],
    ids=["mid-epoch", "mid-epoch, workers", "end", "end, workers", "validation"],
)
def test_a_resumed_run_ends_as_the_unbroken_one(
    workers: str, every: str, batch: int, unbroken: Path, capsys: Any
) -> None:
    run = [*RUN, "--data.num_workers", workers, "--checkpoint.every_n_train_steps", every]
    run += ["--trainer.default_root_dir", "resumed"]
    stopped(run, batch)
    assert main([*run, "--ckpt_path", "last"]) == 0
    assert "Resuming from" in capsys.readouterr().out
    agree(unbroken, "resumed")


def test_the_end_is_saved_even_between_two_intervals() -> None:
    run = [*RUN, "--model.schedule", "constant", "--trainer.max_epochs"]
    for epochs in ("2", "1"):
        assert main([*run, epochs, "--trainer.default_root_dir", epochs]) == 0
    assert final("1")["global_step"] == 12
    run += ["2", "--trainer.default_root_dir", "1", "--ckpt_path", "last"]
    assert main(run) == 0
    agree("2", "1")


def test_a_step_that_was_saved_but_not_logged_is_logged_later(monkeypatch: Any) -> None:
    run = [*RUN, "--checkpoint.every_n_train_steps", "6", "--trainer.max_epochs", "1"]
    assert main([*run, "--trainer.default_root_dir", "unbroken"]) == 0
    run += ["--trainer.default_root_dir", "resumed"]
    with monkeypatch.context() as patch:  # Lightning saves, calls this hook, and then logs
        patch.setattr(GAN, "on_train_batch_end", stop_after_the_sixth)
        with pytest.raises(SystemExit):
            main(run)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    assert main([*run, "--ckpt_path", "last"]) == 0
    agree("unbroken", "resumed")


def stop_after_the_sixth(model: GAN, *args: Any) -> None:
    super(GAN, model).on_train_batch_end(*args)
    if model.trainer.global_step == 6:
        raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_saves_the_batch_it_interrupts(name: str, unbroken: Path) -> None:
    run = [*RUN, "--trainer.default_root_dir", "resumed"]
    stopped(run, 7, name)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert final("resumed")["global_step"] == 8
    assert main([*run, "--ckpt_path", "last"]) == 0
    agree(unbroken, "resumed")


def test_a_killed_run_resumes(unbroken: Path) -> None:
    run = [*RUN, "--trainer.default_root_dir", "killed"]
    command = [sys.executable, str(ROOT / "train.py"), *run, *stopping(17, "SIGKILL")]
    process = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert process.returncode == -signal.SIGKILL
    assert final("killed")["global_step"] == 15
    assert main([*run, "--ckpt_path", "last"]) == 0
    agree(unbroken, "killed")


def test_last_skips_runs_with_other_arguments(capsys: Any) -> None:
    run = [*RUN, "--trainer.max_steps", "3"]
    for k in ("2", "1"):
        assert main([*run, "--model.k", k]) == 0
    capsys.readouterr()
    older, newer = sorted(Path("runs/gan-mnist").iterdir())
    assert main([*run, "--model.k", "2", "--ckpt_path", "last"]) == 0
    assert f"Resuming from {older}" in capsys.readouterr().out
    assert len(list(Path("runs/gan-mnist").iterdir())) == 2
    for other, difference in (
        (["--model.k", "3"], "has --model.k 1 instead of 3."),
        (["--model.k", "2", "--seed", "7"], "has --model.k 3 instead of 2, --seed_everything 0"),
    ):
        assert main([*run, *other, "--ckpt_path", "last"]) == 0
        out = capsys.readouterr().out
        assert difference in out
        assert "Starting a new run" in out


def test_last_starts_a_run_if_there_is_none(capsys: Any) -> None:
    assert main([*RUN, "--ckpt_path", "last", "--trainer.max_steps", "3"]) == 0
    assert "Starting a new run" in capsys.readouterr().out


def test_a_damaged_checkpoint_is_skipped_or_reported(capsys: Any) -> None:
    run = [*RUN, "--trainer.max_epochs", "1"]
    assert main(run) == 0
    (last,) = Path.cwd().glob("runs/*/*/checkpoints/last.ckpt")
    (other,) = set(last.parent.glob("*.ckpt")) - {last}
    last.write_bytes(last.read_bytes()[:3000])
    assert main([*run, "--ckpt_path", str(last)]) == 2
    error = capsys.readouterr().err
    assert f"{last} is damaged" in error
    assert f"The newest readable checkpoint of this run: {other}" in error
    assert main([*RUN, "--ckpt_path", "last"]) == 0
    out = capsys.readouterr().out
    assert "last.ckpt: the file is damaged" in out
    assert f"Resuming from {other.relative_to(Path.cwd())}" in out


def test_a_checkpoint_is_whole_or_not_there(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "a.ckpt"
    save = AtomicCheckpointIO().save_checkpoint
    save({"state_dict": {}, "number": 1}, path)

    def fail(checkpoint: Any, file: Any) -> None:
        file.write(b"PK half of a checkpoint")
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", fail)
        with pytest.raises(OSError, match="no space left"):
            save({"state_dict": {}, "number": 2}, path)
    assert torch.load(path)["number"] == 1
    assert newest_checkpoint(tmp_path) == (path, [])
    assert [file.name for file in tmp_path.iterdir()] == ["a.ckpt"]


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, capsys: Any) -> None:
    torch.save({"state_dict": {}, "hyper_parameters": os.system}, tmp_path / "evil.ckpt")
    assert main([*RUN, "--ckpt_path", "evil.ckpt"]) == 2
    assert "evil.ckpt contains objects other than data" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "kills"), [(1, 20), (2, 5)])
def test_many_kills_leave_no_trace(processes: int, kills: int) -> None:
    script = str(ROOT / "scripts" / "kill_and_resume.py")
    flags = ["--kills", str(kills), "--processes", str(processes)]
    run = subprocess.run([sys.executable, script, *flags], capture_output=True, text=True)
    assert "bit-identical: True" in run.stdout, run.stdout
    assert "metrics.csv identical: True" in run.stdout
