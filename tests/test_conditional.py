"""Conditional GANs: both players depend on the label, in every architecture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_gen import ConditionalGAN, ImageGrid, LatentPlot
from lightning_gen.checkpoints import load_model
from lightning_gen.cli.sample import sample
from lightning_gen.errors import ArgumentError, DataError
from lightning_gen.images.reading import read_image
from lightning_gen.networks import ProjectionDiscriminator
from lightning_gen.protocols import Conditional, Discriminates, Features, Samples
from lightning_gen.sampling import derive_seed
from lightning_gen.types import to_pixels
from tests.conftest import SHAPE, images, loader, same, state

Fit = Callable[..., Trainer]
VARIANTS: dict[str, dict[str, Any]] = {
    "dcgan": {},
    "mlp": {"architecture": "mlp"},
    "embedded": {"embedding_dim": 3},
    "projection": {"projection": True},
    "mlp-projection": {"architecture": "mlp", "projection": True},
    "spectral": {"projection": True, "batch_norm": False, "spectral_norm": True},
    "packed": {"pack": 2, "embedding_dim": 3},
    "packed-projection": {"pack": 2, "projection": True, "minibatch_std": True},
}
ALL = pytest.mark.parametrize("variant", VARIANTS)


def conditional(**kwargs: Any) -> ConditionalGAN:
    small: dict[str, Any] = {"latent_dim": 4, "base_channels": 4, "num_classes": 4}
    mlp: dict[str, Any] = {"generator_hidden_dims": (16,), "discriminator_hidden_dims": (16,)}
    return ConditionalGAN(SHAPE, **small | mlp | kwargs)


@ALL
def test_every_variant_trains_and_implements_its_protocols(fit: Fit, variant: str) -> None:
    model = conditional(**VARIANTS[variant])
    assert all(
        isinstance(model, protocol) for protocol in (Conditional, Features, Discriminates, Samples)
    )
    before = state(model)
    fit(model, max_epochs=1, val=loader(), callbacks=[LatentPlot(n=16, method="pca")])
    changed = {name for name, value in state(model).items() if not torch.equal(value, before[name])}
    assert {name.split(".")[0] for name in changed} == {"generator", "discriminator"}
    labels = torch.arange(6) % 4
    samples = model.sample(6, seed=1)
    assert samples.shape == (6, *SHAPE)
    assert torch.equal(samples, model.sample(6, seed=1, labels=labels))
    scores = model.score(samples, labels)
    assert len(scores) == 6 // model.settings.pack
    assert len(model.features(samples, labels)) == len(scores)


@ALL
def test_both_players_depend_on_the_label(variant: str) -> None:
    model = conditional(**VARIANTS[variant])
    zeros, ones = torch.zeros(4).long(), torch.ones(4).long()
    assert not torch.equal(model.sample(4, seed=0, labels=zeros), model.sample(4, 0, ones))
    x = images(4)
    assert not torch.equal(model.score(x, zeros), model.score(x, ones))


def test_projection_is_an_inner_product_of_label_and_features() -> None:
    D = ProjectionDiscriminator(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)), condition=3)
    x, c = images(5, (1, 2, 2)), torch.eye(3)[torch.tensor([0, 1, 2, 1, 0])]
    expected = (
        D.psi(x.flatten(1)) + torch.einsum("bc,dc,bd->b", c, D.V.weight, x.flatten(1))[:, None]
    )
    assert torch.allclose(D(x, c), expected, atol=1e-6)


def test_samples_depend_on_the_label(fit: Fit) -> None:
    """Class 0 is dark and class 1 bright, which cannot be learned without the label."""
    labels = torch.arange(512) % 2
    x = (labels.float() - 0.5).view(-1, 1, 1, 1) + 0.1 * torch.randn(512, 1, 2, 2)
    model = ConditionalGAN(
        (1, 2, 2),
        num_classes=2,
        latent_dim=4,
        architecture="mlp",
        generator_hidden_dims=(32,),
        discriminator_hidden_dims=(32,),
        maxout=1,
        dropout=0.0,
        lr=2e-3,
    )
    data = DataLoader(TensorDataset(x.clamp(-1, 1), labels), 64, shuffle=True)
    fit(model, data, max_epochs=80)
    samples = model.sample(200, seed=0).mean((1, 2, 3))
    assert abs(samples[0::2].mean() + 0.5) < 0.15
    assert abs(samples[1::2].mean() - 0.5) < 0.15


def test_a_checkpoint_is_sufficient_to_load_the_model(fit: Fit, tmp_path: Path) -> None:
    model = conditional(spectral_norm=True, projection=True)
    fit(model, max_epochs=1).save_checkpoint(tmp_path / "a.ckpt")
    again = load_model(tmp_path / "a.ckpt")
    assert same(state(model), state(again))
    assert torch.equal(again.sample(3, seed=0), model.sample(3, seed=0))


def test_the_sample_command_draws_all_classes_in_turn(fit: Fit, tmp_path: Path) -> None:
    model, folder = conditional(num_classes=7), tmp_path / "samples"
    fit(model, max_epochs=1).save_checkpoint(tmp_path / "a.ckpt")
    sample(str(tmp_path / "a.ckpt"), 110, str(folder), "files", device="cpu")
    labels = torch.arange(100, 200) % 7
    expected = model.sample(100, derive_seed(0, 100), labels)[:10]
    saved = [read_image(path, 1) for path in sorted(folder.iterdir())[100:]]
    assert np.array_equal(saved, to_pixels(expected))


def test_each_row_of_the_grid_is_a_class() -> None:
    grid = ImageGrid(n=8, columns=3)
    model = conditional()
    ((name, samples, columns),) = grid.grids(model)
    assert columns == 3
    assert name == "samples"
    rows = torch.arange(4).repeat_interleave(3)
    assert torch.equal(samples, model.sample(12, seed=0, labels=rows))


def test_invalid_labels_and_networks_are_rejected(fit: Fit) -> None:
    with pytest.raises(DataError, match="ConditionalGAN needs labels"):
        fit(conditional(), DataLoader(images(), batch_size=8))
    with pytest.raises(ArgumentError, match="num_classes"):
        fit(conditional(num_classes=2), loader())
    with pytest.raises(ArgumentError, match="generator"):
        conditional(generator=nn.Linear(4, 4))
    with pytest.raises(ArgumentError, match="embedding"):
        conditional(embedding_dim=-1)
