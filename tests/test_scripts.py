"""Scripts that evaluate translations, and the image of all models."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning import Trainer
from PIL import Image

from lightning_gen import DCGAN, CycleGAN, DenoisingAutoencoder, PairedImageDataModule, Pix2Pix
from scripts import adapt_digits, compare_with_copies, draw_zoo


class Unchanged:
    """Translates images to themselves."""

    def translate(self, x: torch.Tensor, direction: str | None = None) -> torch.Tensor:
        return x


def table(text: str) -> dict[str, list[str]]:
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {name: cells for name, *cells in rows}


def test_an_unchanged_domain_has_the_same_accuracy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for part, sign in {"trainA": -1, "trainB": 1, "testB": 1}.items():
        (tmp_path / part).mkdir()
        for i in range(60):  # a bright bar shows the digit, in A a dark one
            pixels = np.random.default_rng(i).normal(128, 20, (32, 32))
            pixels[:, i % 10 * 3 : i % 10 * 3 + 3] += 70 * sign
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / part / f"{i % 10}_{i}.png")
    monkeypatch.setattr(adapt_digits, "load_model", lambda _: Unchanged())
    monkeypatch.setattr(sys, "argv", ["", "some.ckpt", "--root", str(tmp_path), "--epochs", "20"])
    adapt_digits.main()
    read = table(capsys.readouterr().out)
    assert read["translated"] == read["source"] != read["target"]
    assert float(read["target"][0].strip("%")) > 50


def test_copies_are_as_far_from_the_target_as_their_pixels(
    tmp_path: Path,
    fit: Callable[..., Trainer],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        for i in range(2):  # the first equals its target
            half = np.random.default_rng(i).integers(0, 255, (16, 16, 3), np.uint8)
            Image.fromarray(np.hstack([half, half + i])).save(tmp_path / part / f"{i}.png")
    model = Pix2Pix((3, 16, 16), num_downs=3, base_channels=4, num_layers=1)
    data = PairedImageDataModule(str(tmp_path), image_size=16, load_size=16)
    fit(model, data, max_epochs=1).save_checkpoint(tmp_path / "a.ckpt")
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "a.ckpt")])
    compare_with_copies.main()
    values = table(capsys.readouterr().out)
    assert float(values["copied"][0]) == pytest.approx(20 * np.log10(255 * 2**0.5), abs=0.01)
    assert float(values["copied"][1]) == pytest.approx(1, abs=1e-3)
    assert float(values["copied"][2]) == pytest.approx(1 / 255, abs=1e-4)
    assert float(values["translated"][2]) > 0.1


def test_a_row_shows_samples_or_inputs_and_outputs() -> None:
    gan = DCGAN((1, 28, 28), base_channels=4)
    assert torch.equal(draw_zoo.row(gan), gan.sample(draw_zoo.N, seed=0))
    denoiser = DenoisingAutoencoder(
        (1, 28, 28), noise_factor=0.0, hidden_dims=(8,), base_channels=4
    )
    inputs, outputs = draw_zoo.row(denoiser)[0::2], draw_zoo.row(denoiser)[1::2]
    assert torch.allclose(outputs, denoiser.reconstruct(inputs))
    translator = CycleGAN((3, 32, 32), num_blocks=1, base_channels=4)
    plain, inked = draw_zoo.row(translator)[0::2], draw_zoo.row(translator)[1::2]
    assert torch.allclose(inked, translator.translate(plain), atol=1e-6)
    assert len(plain) == draw_zoo.N // 2


def test_the_image_has_a_row_for_each_checkpoint(
    tmp_path: Path, fit: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(DCGAN((1, 16, 16), base_channels=4), max_epochs=1).save_checkpoint(tmp_path / "a.ckpt")
    heights = []
    for n in (1, 2):
        out = tmp_path / f"{n}.png"
        checkpoints = [str(tmp_path / "a.ckpt")] * n
        monkeypatch.setattr(sys, "argv", ["", *checkpoints, "--out", str(out)])
        draw_zoo.main()
        heights.append(Image.open(out).height)
    assert heights[1] == pytest.approx(2 * heights[0], abs=2)
