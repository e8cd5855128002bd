"""The programs in examples/ run as documented."""

import re
import runpy
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning import Trainer
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor

from lightning_gen import MNISTDataModule
from tests.command_line import ROOT
from tests.conftest import picture

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
EXAMPLES = ROOT / "examples"


def run(name: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = EXAMPLES / f"{name}.py"
    # random numbers of a GPU differ from those of the CPU
    monkeypatch.setattr("lightning.Trainer", partial(Trainer, accelerator="cpu"))
    monkeypatch.setattr(sys, "argv", [str(program), *command.split()])
    runpy.run_path(str(program), run_name="__main__")


def read(path: str | Path) -> Tensor:
    return pil_to_tensor(Image.open(path))


def cells(path: Path, size: int) -> Tensor:
    """Return the images (rows, columns, c, size, size) of a grid with 2 pixels between them."""
    pixels = read(path)[:, 2:, 2:]
    return pixels.unfold(1, size, size + 2).unfold(2, size, size + 2).permute(1, 2, 0, 3, 4)


def test_every_example_is_tested_and_short() -> None:
    tests = {name.removeprefix("test_") for name in globals()}
    for path in EXAMPLES.glob("*.py"):
        assert path.stem in tests
        assert len(path.read_text(encoding="utf-8").splitlines()) < 60, path


def test_custom_images(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine").mkdir()
    for number in range(10):
        picture(number).save(f"mine/{number}.jpg")
    run("custom_images", "mine --out run --image_size 16 --batch_size 4 --epochs 2", monkeypatch)
    samples = sorted(Path("run/samples").iterdir())
    assert [path.name for path in samples] == [f"{k:03}.png" for k in range(64)]
    first, last = sorted(Path("run").rglob("images/samples/step-*.png"))
    drawn = cells(last, 16).flatten(0, 1)
    assert torch.equal(torch.stack([read(path) for path in samples]), drawn)
    assert not torch.equal(cells(first, 16).flatten(0, 1), drawn)


def test_nearest_in_latent_space(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("nearest_in_latent_space", "--rows 4 --k 3 --epochs 1", monkeypatch)
    data = MNISTDataModule("12k")
    data.setup("fit")
    shown = cells(Path("nearest.png"), 28)[:, :, :1]  # (4, 1 + 3, 1, 28, 28)
    assert torch.equal(255 - shown[:, 0], data.test_set.pixels[:4])
    train = {digit.numpy().tobytes() for digit in data.train_set.pixels}
    assert all(digit.numpy().tobytes() in train for digit in shown[:, 1:].flatten(0, 1))
    (share,) = re.findall(r"([\d.]+)% of the neighbors", capsys.readouterr().out)
    assert float(share) > 60  # by chance: 10


def test_pix2pix_on_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("pairs/A", "pairs/B", "more/of"):
        Path(folder).mkdir(parents=True)
    for number in range(10):  # dark ones, which become bright
        source = Image.fromarray(np.asarray(picture(number, (32, 32))) // 3)
        source.save(f"pairs/A/{number}.png")
        Image.fromarray(255 - np.asarray(source)).save(f"pairs/B/{number}.png")
    source.resize((50, 41)).save("more/of/it.jpg")
    flags = "--out run --image_size 32 --base_channels 16 --epochs 8"
    run("pix2pix_on_a_folder", f"pairs more {flags}", monkeypatch)
    assert len(list(Path("run").rglob("images/translations-AtoB/step-*.png"))) == 8
    translated = read("run/translated/of/it.png")
    assert translated.shape == (3, 41, 50)
    dark, translated = read("more/of/it.jpg").float(), translated.float()
    assert (255 - dark - translated).abs().mean() < (255 - dark - dark).abs().mean() / 2
