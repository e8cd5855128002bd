"""Laws of the recipes of GANs: each trains, draws and saves a checkpoint."""

import pytest

from lightning_gen import registry
from lightning_gen.cli import main
from tests.command_line import BRIEF, only

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
GANS = [name for name in registry.entries("recipes") if "ae-" not in name]
IMAGES = {
    "ring": "density",
    "grid": "density",
    "pix2pix-digits": "translations-AtoB",
    "cyclegan-digits": "translations-BtoA",
}


@pytest.mark.parametrize("name", GANS)
def test_the_recipe_trains(name: str) -> None:
    kind = IMAGES.get(name, "samples")
    data = ["--data.subset", "12k"] if kind == "samples" else []
    flags = [f"--{'density' if kind == 'density' else 'grid'}.every_n_epochs", "1"]
    assert main(["fit", "--config", name, *BRIEF, *data, *flags, "--evaluate", "0"]) == 0
    assert only(f"runs/*/*/images/{kind}/step-*.png").exists()
    assert only("runs/*/*/checkpoints/last.ckpt").exists()
