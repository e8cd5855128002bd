"""Callbacks with few images, unusual channels, or a second training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning import Trainer

from lightning_gen import (
    GAN,
    VAE,
    GANMonitor,
    GeneratorEMA,
    ImageGrid,
    LatentPlot,
    LossCurves,
)
from tests.conftest import SHAPE, images, loader, same, small_gan, state

Fit = Callable[..., Trainer]
CODERS: dict[str, Any] = {"latent_dim": 3, "hidden_dims": (8,)}


def test_without_a_rampup_the_whole_halflife_counts(fit: Fit) -> None:
    model = small_gan(lr=0.01)
    fit(model, callbacks=[GeneratorEMA(halflife=1000, rampup=0)])
    assert not same(state(model.average), state(model.generator))


def test_an_average_without_the_callback_ends(fit: Fit, tmp_path: Path) -> None:
    model = small_gan(lr=0.01)
    fit(model, callbacks=[GeneratorEMA()]).save_checkpoint(tmp_path / "a.ckpt")
    loaded = GAN.load_from_checkpoint(tmp_path / "a.ckpt")
    assert loaded.average is not None
    with pytest.warns(UserWarning, match="average of G is discarded"):
        fit(loaded)
    assert loaded.average is None
    fit(model, callbacks=[GeneratorEMA()])
    assert model.average is not None


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_images_of_any_channels_are_drawn(fit: Fit, tmp_path: Path, channels: int) -> None:
    shape = (channels, 8, 8)
    model = VAE(shape, **CODERS)
    drawn = [ImageGrid(n=4), LatentPlot(n=8, thumbnails=True)]
    data = loader(images(shape=shape))
    fit(model, data, val=data, callbacks=drawn, max_epochs=1)
    assert len([*tmp_path.rglob("*.png")]) == 3


def test_a_map_of_too_few_images_is_left_out(fit: Fit, tmp_path: Path) -> None:
    fit(VAE(SHAPE, **CODERS), val=loader(images(2)), callbacks=[LatentPlot(n=8)], max_epochs=1)
    assert not [*tmp_path.rglob("*.png")]


def test_callbacks_start_over_with_a_training(fit: Fit) -> None:
    curves, monitor = LossCurves(), GANMonitor()
    fit(small_gan(), callbacks=[curves, monitor])
    points = len(curves.curves["train/d/loss"])
    monitor.warned.add("collapsed")
    fit(small_gan(), callbacks=[curves, monitor], max_epochs=1)
    assert len(curves.curves["train/d/loss"]) == points // 2
    assert not monitor.warned
