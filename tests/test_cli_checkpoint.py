"""Laws of commands on a checkpoint: metrics, samples, walks, and data sets of samples."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torchvision.datasets import ImageFolder

from lightning_gen.checkpoints import load_model
from lightning_gen.cli import main
from lightning_gen.inference.latents import walk
from tests.command_line import DATA, FIT, SMALL, only, trained

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trained(tmp_path_factory.mktemp("trained"), FIT)


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_a_checkpoint_is_evaluated(command: str, checkpoint: str, capsys: Any) -> None:
    flags = ["--model", "DCGAN", *DATA, *SMALL, "--trainer.accelerator", "cpu"]
    assert main([command, *flags, "--ckpt_path", checkpoint]) == 0
    folder = only(f"runs/dcgan-mnist/*-{command}")
    if command == "predict":
        assert torch.load(folder / "predictions.pt", weights_only=True).shape == (2000, 1)
    else:
        assert "real_score" in capsys.readouterr().out


def test_samples_make_a_grid(checkpoint: str, capsys: Any) -> None:
    assert main(["sample", checkpoint, "--n", "9"]) == 0
    assert Image.open("samples.png").size == (3 * 30 + 2, 3 * 30 + 2)


def test_a_walk_leads_from_one_sample_to_another(checkpoint: str) -> None:
    assert (
        main(["sample", checkpoint, "--n", "10", "--columns", "5", "--walk", "interpolation"]) == 0
    )
    assert Image.open("samples.png").size == (5 * 30 + 2, 2 * 30 + 2)
    model = load_model(checkpoint)
    torch.manual_seed(0)
    x = walk(model, "interpolation", rows=1, steps=3)
    torch.manual_seed(0)
    assert torch.allclose(x[[0, 2]], model.decode(model.prior(2)), atol=1e-5)


def test_nothing_is_overwritten_unless_asked(checkpoint: str, capsys: Any) -> None:
    Path("samples.png").write_text("mine")
    assert main(["sample", checkpoint]) == 2
    assert "samples.png exists" in capsys.readouterr().err
    assert Path("samples.png").read_text() == "mine"
    assert main(["sample", checkpoint, "--force", "true"]) == 0
    assert Image.open("samples.png")


def test_samples_extend_a_data_set(checkpoint: str, capsys: Any) -> None:
    for seed in ("0", "1"):
        args = ["--n", "3", "--layout", "folder", "--label", "seven", "--seed", seed]
        assert main(["sample", checkpoint, "--out", "set", *args]) == 0
    data = ImageFolder("set")
    assert data.classes == ["seven"]
    assert len(data) == 6
    assert len({Path(path).read_bytes() for path, _ in data.samples}) > 3


def test_a_label_requires_the_layout_of_folders(checkpoint: str, capsys: Any) -> None:
    assert main(["sample", checkpoint, "--label", "3"]) == 2
    assert "--label is the name of a folder: add --layout folder" in capsys.readouterr().err


def test_more_samples_begin_with_the_same_ones(checkpoint: str, capsys: Any) -> None:
    for n in ("2", "150"):
        assert main(["sample", checkpoint, "--n", n, "--layout", "files", "--out", n]) == 0
    assert len(list(Path("150").iterdir())) == 150
    for name in ("0-000000.png", "0-000001.png"):
        assert Path("2", name).read_bytes() == Path("150", name).read_bytes()


def test_a_truncated_checkpoint_is_reported(checkpoint: str, capsys: Any) -> None:
    Path("half.ckpt").write_bytes(Path(checkpoint).read_bytes()[:5000])
    assert main(["sample", "half.ckpt"]) == 2
    assert "half.ckpt is damaged" in capsys.readouterr().err
