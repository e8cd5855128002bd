"""Laws of the maps of codes: what they show, what they log, and what they leave alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Trainer, seed_everything
from torchvision.io import decode_image

from lightning_gen import VAE, LatentPlot
from lightning_gen.callbacks.projection import knn_accuracy, project, trustworthiness
from lightning_gen.errors import ArgumentError
from tests.conftest import SHAPE, images, loader, same, small_gan, state

Fit = Callable[..., Trainer]


def clusters(n: int = 150) -> tuple[Any, Any]:
    rng, labels = np.random.default_rng(0), np.arange(n) % 3
    return rng.normal(size=(n, 60)) + 20 * np.eye(3, 60)[labels], labels


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_a_map_keeps_clusters_apart_and_repeats_itself(method: Any) -> None:
    points, labels = clusters()
    embedded = project(points, method)
    assert embedded.shape == (150, 2)
    assert knn_accuracy(embedded, labels) == 1
    assert np.array_equal(embedded, project(points, method))


def test_two_dimensions_are_a_map_already() -> None:
    points = np.random.default_rng(0).normal(size=(20, 2))
    assert project(points) is points
    assert trustworthiness(points, points) == 1


def test_figures_of_a_map_that_shows_nothing() -> None:
    points, labels = clusters()
    nothing = np.random.default_rng(1).normal(size=(150, 2))
    assert knn_accuracy(nothing, labels) < 0.6
    assert trustworthiness(points, nothing) < 0.7


def test_the_next_map_starts_from_the_last() -> None:
    points, _ = clusters()
    first = project(points)
    again = project(points, start=first)
    turned = project(points, start=first @ np.array([[0.0, 1.0], [-1.0, 0.0]]))

    def alike(a: Any, b: Any) -> float:
        return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])

    assert alike(first, again) > 0.9 > alike(first, turned)


def test_without_opentsne_scikit_learn_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openTSNE", None)
    points, labels = clusters()
    assert knn_accuracy(project(points), labels) == 1


def vae(**kwargs: Any) -> VAE:
    return VAE(SHAPE, **{"latent_dim": 3, "hidden_dims": (8,)} | kwargs)


def test_training_is_bit_equal_with_and_without(fit: Fit, tmp_path: Path) -> None:
    runs = []
    for callbacks in ([], [LatentPlot(n=16)]):
        seed_everything(0)
        model = vae()
        trainer = fit(model, val=loader(), callbacks=callbacks)
        runs.append(state(model))
    assert same(*runs)
    assert len(list(tmp_path.glob("images/latents/step-*.png"))) == 2
    assert 0 <= trainer.callback_metrics["latents/codes/trustworthiness"] <= 1
    assert 0 <= trainer.callback_metrics["latents/codes/knn_accuracy"] <= 1


def test_panels_and_pictures(fit: Fit, tmp_path: Path) -> None:
    plots = [LatentPlot(n=16), LatentPlot(n=16, pixels=True, pictures=True)]
    widths = []
    for plot in plots:
        fit(vae(), max_epochs=1, val=loader(), callbacks=[plot])
        (path,) = tmp_path.glob("images/latents/*.png")
        widths.append(decode_image(str(path)).shape[2])
    assert widths[1] == 2 * widths[0]


def test_a_gan_s_features_of_real_and_generated_images(fit: Fit, tmp_path: Path) -> None:
    model = small_gan()
    trainer = fit(model, max_epochs=1, val=loader(), callbacks=[LatentPlot(n=16)])
    assert model.features(images(3)).shape == (3, 16)
    assert "latents/features/knn_accuracy" in trainer.callback_metrics
    assert len(list(tmp_path.glob("images/latents/*.png"))) == 1


def test_classes_are_balanced(fit: Fit) -> None:
    x = images(40)
    labels = torch.tensor([0] * 30 + [1] * 6 + [2] * 4)
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, labels), batch_size=8)
    plot = LatentPlot(n=12)
    fit(vae(), max_epochs=1, val=data, callbacks=[plot])
    assert plot.chosen is not None
    assert plot.chosen[1].bincount().tolist() == [4, 4, 4]


@pytest.mark.parametrize("wrong", [{"n": 6000}, {"every_n_epochs": -1}], ids=str)
def test_an_argument_out_of_range_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        LatentPlot(**wrong)
