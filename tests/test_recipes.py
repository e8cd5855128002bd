"""Laws of the recipes of games: each trains, draws what there is to draw, and can be judged."""

import sys
from pathlib import Path

import pytest

from lightning_gen import catalog
from lightning_gen.cli import main
from tests.test_cli import BRIEF, _elsewhere, only  # noqa: F401 -- a fixture of every test

GAMES = [name for name in catalog.entries("recipes") if "ae-" not in name]
PICTURES = {
    "ring": "density",
    "grid": "density",
    "pix2pix-digits": "translations-AtoB",
    "cyclegan-digits": "translations-BtoA",
}


@pytest.mark.parametrize("name", GAMES)
def test_a_game_s_recipe_trains(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py"])
    kind = PICTURES.get(name, "samples")
    data = ["--data.subset", "12k"] if kind == "samples" else []
    flags = [f"--{'density' if kind == 'density' else 'grid'}.every_n_epochs", "1"]
    assert main(["fit", "--config", name, *BRIEF, *data, *flags, "--evaluate", "0"]) == 0
    assert only(f"runs/*/*/images/{kind}/step-*.png").exists()
    assert only("runs/*/*/checkpoints/last.ckpt").exists()
