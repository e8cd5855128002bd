"""Laws of the models that `train.py translate` takes, and of what it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import LightningModule
from torch import Tensor

from lightning_gen import Pix2Pix
from lightning_gen.cli import main
from lightning_gen.images.reading import read_image
from lightning_gen.networks import (
    PatchDiscriminator,
    UNetGenerator,
    save_reference_weights,
)
from lightning_gen.types import Direction
from tests.conftest import small_gan
from tests.test_translate import generator, save

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")


class Inverts(LightningModule):
    """A model of a user's: A to B inverts, B to A halves, with some noise."""

    def __init__(self, noise: float = 0) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.noise = noise
        self.save_hyperparameters()

    def translate(self, x: Tensor, direction: Direction = "AtoB") -> Tensor:
        y = -x if direction == "AtoB" else x / 2
        return y * self.weight + self.noise * torch.randn_like(y)


class TwoWays(Inverts):
    """The same, which says what it has."""

    @property
    def translators(self) -> dict[Direction, torch.nn.Module]:
        return {"BtoA": UNetGenerator(1, 1, num_downs=5, base_channels=1)}


def checkpoint(model: LightningModule) -> list[str]:
    """Write one as Lightning does; the flags that read it."""
    entries = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    torch.save({**entries, "pytorch-lightning_version": "2.6.0"}, "own.ckpt")
    return ["own.ckpt", "--model", f"{type(model).__module__}.{type(model).__name__}"]


@pytest.mark.parametrize("direction", ["AtoB", "BtoA", None])
def test_a_model_translates_in_the_direction_that_is_asked_for(direction: str | None) -> None:
    pixels = save("in.png", 3, 5, 6)
    flags = ["--direction", direction] if direction else []
    own = checkpoint(Inverts())
    assert main(["translate", own[0], "in.png", *own[1:], *flags]) == 0
    output = read_image("translated/in.png").astype(float)
    expected = pixels / 2 + 63.75 if direction == "BtoA" else 255.0 - pixels
    assert np.abs(output - expected).max() <= 0.5


def test_a_model_says_which_directions_it_has(capsys: Any) -> None:
    own = checkpoint(TwoWays())
    save("in.png", 3, 5, 6)
    command = ["translate", own[0], "in.png", *own[1:]]
    assert main([*command, "--direction", "AtoB"]) == 2
    assert "own.ckpt only translates BtoA" in capsys.readouterr().err
    assert main(command) == 0
    assert len(read_image("translated/in.png")) == 1  # the network has one input channel


def test_noise_follows_from_the_seed() -> None:
    own = checkpoint(Inverts(noise=0.1))
    save("in.png", 3, 16, 16)
    for out, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        flags = ["--out", out, "--seed", seed]
        assert main(["translate", own[0], "in.png", *own[1:], *flags]) == 0
    a, b, c = (Path(out, "in.png").read_bytes() for out in "abc")
    assert a == b != c


@pytest.mark.parametrize("published", [True, False])
def test_dropout_at_test(published: bool, capsys: Any) -> None:
    network = UNetGenerator(num_downs=6, base_channels=2)
    for parameter in network.parameters():
        parameter.data.normal_(0, 0.3)
    save("in.png", 3, 64, 64, np.uint16)
    if published:
        save_reference_weights(network, "G.pth")
        command = ["translate", "G.pth", "in.png"]
    else:
        model = Pix2Pix((3, 64, 64), num_downs=6, base_channels=2, dropout_at_test=True)
        model.generator.load_state_dict(network.state_dict())
        own = checkpoint(model)
        command = ["translate", own[0], "in.png", "--model", "lightning_gen.models.Pix2Pix"]
    outputs = []
    for dropout in ("false", "true", "true"):
        assert main([*command, "--dropout_at_test", dropout, "--force", "true"]) == 0
        mode = "with dropout on" if dropout == "true" else "with dropout off"
        assert f"Translating {mode}." in capsys.readouterr().out
        outputs.append(read_image("translated/in.png"))
    assert np.array_equal(outputs[1], outputs[2])
    assert not np.array_equal(outputs[0], outputs[1])
    assert main([*command, "--force", "true"]) == 0
    assert np.array_equal(read_image("translated/in.png"), outputs[0 if published else 1])


def test_pairs_of_any_channels_and_sizes_are_trained_on_and_predicted(capsys: Any) -> None:
    for split, side in (("train", 16), ("train", 24), ("test", 16), ("test", 24)):
        save(f"pairs/{split}A/{side}.npy", 7, 16, side, np.uint16)
        save(f"pairs/{split}B/{side}.npy", 1, 16, side, np.uint16)
    flags = ["--model", "Pix2Pix", "--model.num_downs", "3", "--model.base_channels", "2"]
    flags += ["--model.num_layers", "1", "--data", "PairedImageDataModule", "--data.root", "pairs"]
    flags += ["--data.image_size", "16", "--data.preprocess", "none"]
    flags += ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]
    assert main(["fit", *flags]) == 0
    told = capsys.readouterr().out
    assert "Translate images:" in told
    assert "A to B" in told
    (saved,) = Path("runs").glob("*/*/checkpoints/last.ckpt")
    assert torch.load(saved, weights_only=True)["hyper_parameters"]["target_channels"] == 1
    assert main(["predict", *flags, "--ckpt_path", str(saved)]) == 0
    (saved,) = Path("runs").glob("*/*/predictions.pt")
    shapes = [tuple(x.shape) for x in torch.load(saved, weights_only=True)]
    assert shapes == [(1, 16, 16), (1, 16, 24)]


WRONG: dict[str, tuple[list[str], str]] = {
    "nothing there": (["G.pth", "none"], "file or folder none does not exist"),
    "no images": (["G.pth", "empty"], "empty has no images"),
    "no checkpoint": (["none.pth", "in.png"], "checkpoint not found: none.pth"),
    "a discriminator": (["D.pth", "in.png"], "contains a discriminator"),
    "direction": (["G.pth", "in.png", "--direction", "AtoB"], "remove --direction"),
    "tile": (["G.pth", "in.png", "--tile", "8"], "tile must be at least 16"),
    "same name": (["G.pth", "twice"], "would both become translated/a.png"),
    "two targets without a page": (
        ["G.pth", "in.png", "--target", "twice"],
        "twice/a.png and twice/a.webp have the same name",
    ),
    "no dropout": (["G.pth", "in.png", "--dropout_at_test", "true"], "G.pth has no dropout"),
    "target no folder": (
        ["G.pth", "in.png", "--target", "in.png", "--html", "true"],
        "--target in.png must be a folder",
    ),
    "no target": (
        ["G.pth", "in.png", "--target", "once", "--html", "true"],
        "--target once has no image in",
    ),
    "two targets": (
        ["G.pth", "in.png", "--target", "twice", "--html", "true"],
        "twice/a.png and twice/a.webp have the same name",
    ),
    "device": (["G.pth", "in.png", "--device", "gpu"], "--device gpu is not available"),
    "out is a file": (["G.pth", "in.png", "--out", "in.png"], "--out in.png cannot be a folder"),
}


@pytest.mark.parametrize("key", WRONG)
def test_what_cannot_be_is_said_shortly(key: str, capsys: Any) -> None:
    args, words = WRONG[key]
    generator()
    save_reference_weights(PatchDiscriminator(base_channels=1), "D.pth")
    Path("empty").mkdir()
    save("in.png", 3, 16, 16)
    save("once/a.png", 3, 16, 16)
    save("twice/a.png", 3, 16, 16)
    save("twice/a.webp.png", 3, 16, 16)
    Path("twice/a.webp.png").rename("twice/a.webp")
    assert main(["translate", *args]) == 2
    error = capsys.readouterr().err.strip()
    assert words in error
    assert len(error.splitlines()) <= 3
    assert not Path("translated").exists()


def test_weights_are_told_from_checkpoints_by_what_they_hold() -> None:
    generator()
    own = checkpoint(Inverts())
    save("in.png", 3, 16, 16)
    Path("G.pth").rename("G.pt")
    Path("own.ckpt").rename("own.pth")
    assert main(["translate", "G.pt", "in.png"]) == 0
    assert main(["translate", "own.pth", *own[1:], "in.png", "--out", "inverted"]) == 0
    assert (read_image("inverted/in.png") == 255 - read_image("in.png")).all()


def test_an_interruption_is_no_error(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    generator()
    save("in.png", 3, 16, 16)
    monkeypatch.setattr("lightning_gen.cli.translate.write_image", interrupt)
    assert main(["translate", "G.pth", "in.png"]) == 130
    assert capsys.readouterr().err.endswith("interrupted\n")


def test_a_model_that_does_not_translate_is_named(capsys: Any) -> None:
    own = checkpoint(small_gan())
    save("in.png", 3, 16, 16)
    own[2] = "lightning_gen.models.GAN"
    assert main(["translate", own[0], "in.png", *own[1:]]) == 2
    assert "own.ckpt contains GAN, which does not translate" in capsys.readouterr().err
