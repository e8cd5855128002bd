"""Offline runs of W&B: metrics and images with their steps, read from the file."""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_gen.cli import main
from tests.command_line import BRIEF, DATA, FIT

IMAGES = "images/samples/filenames"
POINTS = ["--data", "GaussianMixtureDataModule", "--density.samples", "100"]
PAIRS = ["--model.base_channels", "2", "--data", "DigitPairsDataModule", "--data.paired"]
LATENTS = ["--model.latent_dim", "2", "--model.hidden_dims", "[8]", *DATA]
LATENTS += ["--latents.every_n_epochs", "1", "--latents.n", "40"]


def records(path: Path) -> Iterator[Any]:
    """Yield the entries of an offline run's file: LevelDB's log format, in blocks of 32 KiB."""
    from wandb.proto import wandb_internal_pb2

    data, at, record = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if (room := 32768 - at % 32768) < 7:
            at += room
            continue
        _, size, kind = struct.unpack_from("<IHB", data, at)
        if at + 7 + size > len(data):  # still being written
            return
        record, at = record + data[at + 7 : at + 7 + size], at + 7 + size
        if kind in (1, 4):  # a whole record, or its last part
            entry, record = wandb_internal_pb2.Record.FromString(record), b""
            yield entry


def complete(path: Path) -> Path:
    """Wait for the last record, which W&B's process may write after `finish`."""
    deadline = time.monotonic() + 30
    while not any(entry.WhichOneof("record_type") == "exit" for entry in records(path)):
        assert time.monotonic() < deadline, "the file never became complete"
        time.sleep(0.05)
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    return [
        {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in entry.history.item}
        for entry in records(complete(path))
        if entry.WhichOneof("record_type") == "history"
    ]


def config(path: Path) -> dict[str, Any]:
    values = {}
    for entry in records(path):
        kind = entry.WhichOneof("record_type")
        update = entry.config.update if kind == "config" else entry.run.config.update
        values |= {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in update}
    return values


@pytest.fixture
def offline(in_an_empty_folder: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MODE": "offline", "SILENT": "true", "DIR": str(tmp_path)}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)


def test_an_offline_run_has_metrics_images_and_settings(offline: None, capsys: Any) -> None:
    args = ["--logger", "wandb", "--model.k", "2", "--seed", "5", "--data.seed", "6"]
    assert main([*FIT, *args]) == 0
    (folder,) = Path("runs/dcgan-mnist").iterdir()
    (path,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    assert path.stem == f"run-dcgan-mnist-{folder.name}"

    logged = rows(path)
    steps = {
        key: [row["trainer/global_step"] for row in logged if key in row]
        for key in ("train/d/loss", "train/g/loss", "val/d/real_score", IMAGES)
    }
    assert steps == {
        "train/d/loss": [0, 1, 2],
        "train/g/loss": [1, 2],  # G moves at every second batch, and its last terms stay
        "val/d/real_score": [2],
        IMAGES: [3],
    }
    settings = config(path)
    assert settings["model"]["latent_dim"] == 4
    assert settings["model"]["lr"] == 2e-4
    assert settings["model"]["image_shape"] == [1, 28, 28]
    assert settings["data"]["subset"] == "12k"
    assert (settings["seed"], settings["data"]["seed"]) == (5, 6)
    assert settings["trainer"]["limit_train_batches"] == 3
    assert settings["callbacks"]["grid"]["n"] == 64
    assert "torch" in settings["versions"]
    assert "lr" not in settings


def test_a_resumed_run_has_the_same_id(offline: None, capsys: Any) -> None:
    assert main([*FIT, "--logger", "wandb"]) == 0
    more = [*FIT, "--logger", "wandb", "--trainer.max_epochs", "2", "--ckpt_path", "last"]
    assert main(more) == 0
    (folder,) = Path("runs/dcgan-mnist").iterdir()
    paths = sorted(folder.glob("wandb/offline-run-*/run-*.wandb"), key=lambda p: p.stat().st_mtime)
    assert {path.stem for path in paths} == {f"run-dcgan-mnist-{folder.name}"}
    last = rows(paths[-1])
    assert [row["trainer/global_step"] for row in last if "train/d/loss" in row][-3:] == [3, 4, 5]


def rgb(path: Path) -> Any:
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (["VAE", *LATENTS], {"samples", "reconstructions", "latents"}),
        (["GAN", *POINTS], {"density"}),
        (["Pix2Pix", "--model.num_downs", "2", *PAIRS, "true"], {"translations-AtoB"}),
        (
            ["CycleGAN", "--model.num_blocks", "1", *PAIRS, "false"],
            {"translations-AtoB", "translations-BtoA"},
        ),
    ],
    ids=["vae", "points", "pix2pix", "cyclegan"],
)
def test_stored_images_are_those_on_disk(
    offline: None, capsys: Any, flags: list[str], names: set[str]
) -> None:
    assert main(["fit", "--model", *flags, *BRIEF, "--logger", "wandb"]) == 0
    (folder,) = Path("runs").glob("*/*/")
    files = {path.parent.name: path for path in folder.glob("images/*/step-*.png")}
    assert files.keys() == names
    (path,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    logged = {key: value for row in rows(path) for key, value in row.items()}
    for name, file in files.items():
        stored = path.parent / "files" / logged[f"images/{name}/filenames"][0]
        assert np.array_equal(rgb(stored), rgb(file))
        assert len(np.unique(rgb(stored))) > 20  # not black
        (caption,) = logged[f"images/{name}/captions"]
        assert caption.startswith("epoch 1, batch ")
