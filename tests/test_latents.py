"""Maps of codes: what they show and log, and no effect on the training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Trainer, seed_everything
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

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


def test_metrics_of_a_random_map() -> None:
    points, labels = clusters()
    random = np.random.default_rng(1).normal(size=(150, 2))
    assert knn_accuracy(random, labels) < 0.6
    assert trustworthiness(points, random) < 0.7


def test_the_next_map_starts_from_the_last() -> None:
    points, _ = clusters()
    first = project(points)
    again = project(points, start=first)
    turned = project(points, start=first @ np.array([[0.0, 1.0], [-1.0, 0.0]]))

    def correlation(a: Any, b: Any) -> float:
        return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])

    assert correlation(first, again) > 0.9 > correlation(first, turned)


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


def test_panels_and_thumbnails(fit: Fit, tmp_path: Path) -> None:
    plots = [LatentPlot(n=16), LatentPlot(n=16, pixels=True, thumbnails=True)]
    widths = []
    for plot in plots:
        fit(vae(), max_epochs=1, val=loader(), callbacks=[plot])
        (path,) = tmp_path.glob("images/latents/*.png")
        widths.append(Image.open(path).width)
    assert widths[1] == 2 * widths[0]


def test_a_gan_s_features_of_real_and_generated_images(fit: Fit, tmp_path: Path) -> None:
    model = small_gan()
    trainer = fit(model, max_epochs=1, val=loader(), callbacks=[LatentPlot(n=16)])
    assert model.features(images(3)).shape == (3, 16)
    assert "latents/features/knn_accuracy" in trainer.callback_metrics
    assert len(list(tmp_path.glob("images/latents/*.png"))) == 1


def labeled(x: Tensor, labels: Tensor) -> DataLoader:
    return DataLoader(TensorDataset(x, labels), batch_size=8)


def test_classes_are_balanced(fit: Fit) -> None:
    labels = torch.tensor([0] * 30 + [1] * 6 + [2] * 4)
    plot = LatentPlot(n=12)
    fit(vae(), max_epochs=1, val=labeled(images(40), labels), callbacks=[plot])
    assert plot.chosen is not None
    assert plot.chosen[1].bincount().tolist() == [4, 4, 4]


def test_the_choice_is_that_of_all_images_and_no_others_are_kept(fit: Fit) -> None:
    class Watched(LatentPlot):
        def on_validation_batch_end(self, *args: Any) -> None:
            super().on_validation_batch_end(*args)
            if self.candidates:
                kept.append(len(self.candidates[0]))

    kept: list[int] = []
    x, labels = images(200), torch.randint(4, (200,)).sort(descending=True).values
    plot = Watched(n=30)
    fit(vae(), max_epochs=1, val=labeled(x, labels), callbacks=[plot])
    turns = [torch.where(labels == label)[0].tolist() for label in range(4)]
    ranked = [(turn.index(i), i) for turn in turns for i in turn]
    expected = [i for _, i in sorted(ranked)][:30]
    assert torch.equal(plot.chosen[0], x[expected])
    assert torch.equal(plot.chosen[1], labels[expected])
    assert max(kept) == 30


def test_images_are_encoded_in_batches(fit: Fit) -> None:
    class Watched(VAE):
        def encode(self, x: Tensor, *c: Tensor) -> Tensor:
            sizes.append(len(x))
            return super().encode(x, *c)

    sizes: list[int] = []
    model = Watched(SHAPE, latent_dim=2, hidden_dims=(8,))
    fit(model, max_epochs=1, val=loader(images(600), 100), callbacks=[LatentPlot(n=600)])
    assert sizes == [200] * 3


def test_features_of_packs_are_shown_by_their_first_images() -> None:
    model, plot = small_gan(pack=3).eval(), LatentPlot(n=1200, pixels=True)
    points = plot.points(model, model.device, images(600), None)
    assert len(points.x) == len(points.spaces["features"]) == len(points.labels) == 6 * 66
    assert torch.equal(points.x[:66], images(600)[:198:3])
    assert points.labels.tolist() == [0] * 198 + [1] * 198


@pytest.mark.parametrize("wrong", [{"n": 6000}, {"every_n_epochs": -1}], ids=str)
def test_an_argument_out_of_range_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        LatentPlot(**wrong)
