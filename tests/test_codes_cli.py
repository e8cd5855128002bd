"""Laws of commands on autoencoders: recipes, codes of a data set, walks in latent space."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_gen import MNISTDataModule, registry
from lightning_gen.checkpoints import load_model
from lightning_gen.cli import main
from tests.command_line import BRIEF, DATA, inside, only

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
FEW = ["--trainer.limit_val_batches", "2", "--trainer.check_val_every_n_epoch", "1"]
FEW += ["--grid.every_n_epochs", "1", "--latents.every_n_epochs", "1", "--latents.n", "30"]
RECIPES = [name for name in registry.entries("recipes") if "ae-" in name]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Checkpoints of the model of each recipe, and of a VAE with two latent dimensions."""
    runs = {name: ["--config", name, "--data.subset", "12k"] for name in RECIPES}
    runs["flat"] = ["--config", "vae-mnist", "--model.latent_dim", "2"]
    folder, checkpoints = tmp_path_factory.mktemp("trained"), {}
    for name, flags in runs.items():
        with inside(folder / name):
            assert main(["fit", *flags, *BRIEF, *FEW]) == 0
            checkpoints[name] = str(only("runs/*/*/checkpoints/last.ckpt"))
            assert only("runs/*/*/images/latents/*.png").exists(), name
            assert only("runs/*/*/images/reconstructions/*.png").exists(), name
    return checkpoints


def test_the_grid_of_a_denoising_autoencoder_has_three_rows(trained: dict[str, str]) -> None:
    images = [
        Image.open(next(Path(trained[name]).parents[1].glob("images/recon*/*.png")))
        for name in ("ae-mnist", "dae-mnist")
    ]
    two, three = ((image.height - 2) // 30 for image in images)  # rows of 64 digits
    assert (two, three) == (16, 24)


@pytest.mark.parametrize("name", ["ae-mnist", "cvae-mnist"])
def test_encode_writes_codes_with_labels(name: str, trained: dict[str, str], capsys: Any) -> None:
    assert main(["encode", trained[name], *DATA]) == 0
    with np.load("codes.npz") as file:
        codes, labels = file["codes"], file["labels"]
    data = MNISTDataModule("12k")
    data.setup("test")
    x, y = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    assert labels[:64].tolist() == y.tolist()
    expected = load_model(trained[name]).encode(x, y)
    assert torch.allclose(torch.from_numpy(codes[:64]), expected, atol=1e-5)
    assert len(codes) == len(labels) == 2000
    assert main(["encode", trained[name], *DATA]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["encode", trained[name], *DATA, "--split", "val", "--force", "true"]) == 0


@pytest.mark.parametrize("walk", ["interpolation", "traversal", "manifold"])
def test_walks_make_grids(walk: str, trained: dict[str, str], capsys: Any) -> None:
    flags = ["--walk", walk, "--n", "14", "--columns", "5"]
    assert main(["sample", trained["flat"], *flags]) == 0
    width, height = Image.open("samples.png").size
    rows = {"interpolation": 3, "traversal": 2, "manifold": 5}[walk]
    assert (width, height) == (5 * 30 + 2, rows * 30 + 2)
    assert f"{rows * 5} images: samples.png" in capsys.readouterr().out


@pytest.mark.parametrize("name", RECIPES)
def test_samples_are_drawn(name: str, trained: dict[str, str]) -> None:
    assert main(["sample", trained[name], "--n", "4"]) == 0
    assert Image.open("samples.png").size == (62, 62)


WRONG: dict[str, tuple[list[str], str]] = {
    "manifold of long codes": (["sample", "vae-mnist", "--walk", "manifold"], "latent_dim 2"),
    "walk into files": (["sample", "flat", "--walk", "manifold", "--layout", "files"], "--layout"),
    "codes as text": (["encode", "flat", *DATA, "--out", "codes.txt"], ".npz"),
    "unknown data": (["encode", "flat", "--data", "MNISTDataModul"], "MNISTDataModule"),
    "latent_dim 0": (["fit", "--model", "VAE", *DATA, "--model.latent_dim", "0"], "--model.latent"),
    "architecture": (
        ["fit", "--model", "VAE", *DATA, "--model.architecture", "cnn"],
        "--model.architecture",
    ),
    "classes": (
        ["fit", "--model", "ConditionalVAE", *DATA, "--model.num_classes", "3", *BRIEF],
        "--model.num_classes",
    ),
}


@pytest.mark.parametrize("key", WRONG)
def test_mistakes_give_short_errors(key: str, trained: dict[str, str], capsys: Any) -> None:
    args, words = WRONG[key]
    assert main([trained.get(arg, arg) for arg in args]) == 2
    error = capsys.readouterr().err.strip()
    assert words in error
    assert len([line for line in error.splitlines() if "Seed set" not in line]) <= 4, error
