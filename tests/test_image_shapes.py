"""Images need not be square: all models train, sample, translate and reconstruct them."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch.utils.data import DataLoader, StackDataset

from lightning_gen import ConditionalGAN, models
from lightning_gen.models.base import AdversarialModel, AutoencoderModel, VariationalModel
from lightning_gen.protocols import Encodes, Reconstructs, Samples, Translates, Visualizes
from tests.conftest import images, loader, state
from tests.test_arguments import make

Fit = Callable[..., Trainer]
SHAPES = [(1, 16, 32), (3, 32, 16), (2, 24, 16)]
OPTIONS: dict[type, dict[str, Any]] = {
    AdversarialModel: {"augmentations": ("translation", "cutout"), "r1": 0.1},
    AutoencoderModel: {"mixture_components": 2},
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", models.__all__)
def test_all_models_support_images_that_are_not_square(
    fit: Fit, name: str, shape: tuple[int, int, int]
) -> None:
    cls = getattr(models, name)
    options = next((given for base, given in OPTIONS.items() if issubclass(cls, base)), {})
    model = make(name, shape, **options)
    x, before = images(8, shape), state(model)
    pairs = DataLoader(StackDataset(A=x, B=x.flip(3)), batch_size=4)
    data = pairs if isinstance(model, Translates) else loader(x, 4)
    trainer = fit(model, data, val=data, max_epochs=1)
    assert trainer.global_step == 2
    after = state(model)
    assert all(torch.isfinite(tensor).all() for tensor in after.values())
    assert any(not torch.equal(tensor, after[key]) for key, tensor in before.items())
    labels = (torch.arange(8) % 4,) if model.num_classes else ()
    if isinstance(model, Samples):
        assert model.sample(3, seed=0).shape == (3, *shape)
    if isinstance(model, Encodes):
        z = model.encode(x, *labels)
        assert model.decode(z, *labels).shape == x.shape
    if isinstance(model, Reconstructs):
        assert model.reconstruct(x, *labels).shape == x.shape
    if isinstance(model, VariationalModel):
        assert model.log_likelihood(x, *labels, samples=3).shape == (8,)
    if isinstance(model, Translates):
        assert model.translate(x).shape == x.shape
    if isinstance(model, Visualizes):
        batch = next(iter(pairs))
        assert all(y.shape == (4, *shape) for row in model.visualize(batch).values() for y in row)
    if isinstance(model, AdversarialModel):
        condition = (x,) if isinstance(model, Translates) else labels
        assert len(model.score(x, *condition)) == len(model.features(x, *condition)) == 8


@pytest.mark.parametrize("architecture", ["dcgan", "mlp"])
def test_packed_and_projected_images_need_not_be_square(fit: Fit, architecture: Any) -> None:
    model = ConditionalGAN(
        (1, 16, 32),
        num_classes=4,
        architecture=architecture,
        base_channels=2,
        projection=True,
        minibatch_std=True,
        pack=2,
    )
    assert fit(model, loader(images(8, (1, 16, 32)), 4), max_epochs=1).global_step == 2
    assert model.sample(2).shape == (2, 1, 16, 32)
