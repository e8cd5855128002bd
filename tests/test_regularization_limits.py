"""Laws of the cures at their limits: half precision, own networks, batches that do not fit."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import nn

from lightning_gen import (
    ConditionalGAN,
)
from lightning_gen.errors import ArgumentError
from lightning_gen.networks import DCGANDiscriminator
from lightning_gen.networks.regularization import MinibatchStd, apply_spectral_norm
from tests.conftest import SHAPE, images, loader, small_dcgan, small_gan

Fit = Callable[..., Trainer]


def test_minibatch_std_has_a_gradient_in_half_precision() -> None:
    x = torch.zeros(4, 3, dtype=torch.float16, requires_grad=True)
    MinibatchStd()(x).sum().backward()
    assert x.grad.isfinite().all()


def test_what_is_normalised_is_not_normalised_again() -> None:
    D = DCGANDiscriminator(SHAPE, 4)
    apply_spectral_norm(D)
    names = set(D.state_dict())
    apply_spectral_norm(D)
    assert set(D.state_dict()) == names


@pytest.mark.parametrize(
    ("model", "argument"),
    [
        (lambda D: small_gan(discriminator=D, minibatch_std=True), "minibatch_std"),
        (lambda D: small_dcgan(discriminator=D, hidden_dim=8), "hidden"),
        (lambda D: ConditionalGAN(SHAPE, discriminator=D, projection=True), "projection"),
    ],
)
def test_what_own_networks_would_have_to_do_is_refused(model: Any, argument: str) -> None:
    own = nn.Sequential(nn.Flatten(), nn.Linear(256, 1))
    with pytest.raises(ArgumentError, match=f"{argument} has no effect on your own"):
        model(own)


def test_a_last_batch_that_fills_no_pack_is_left_out(fit: Fit) -> None:
    assert fit(small_gan(pack=4), loader(images(34))).global_step == 8
    with pytest.raises(ArgumentError, match="pack is 4, but the batch has 2 images"):
        fit(small_gan(pack=4), loader(images(2)))
