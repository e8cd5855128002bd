"""Limits of the regularization: half precision, custom networks, incomplete packs."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import nn

from lightning_gen import ConditionalGAN
from lightning_gen.errors import ArgumentError
from lightning_gen.networks import DCGANDiscriminator
from lightning_gen.networks.regularization import MinibatchStd, apply_spectral_norm
from tests.conftest import SHAPE, images, loader, small_dcgan, small_gan

Fit = Callable[..., Trainer]


def test_minibatch_std_has_a_gradient_in_half_precision() -> None:
    x = torch.zeros(4, 3, dtype=torch.float16, requires_grad=True)
    MinibatchStd()(x).sum().backward()
    assert x.grad.isfinite().all()


def test_spectral_norm_is_applied_once() -> None:
    D = DCGANDiscriminator(SHAPE, 4)
    apply_spectral_norm(D)
    names = set(D.state_dict())
    apply_spectral_norm(D)
    assert set(D.state_dict()) == names


@pytest.mark.parametrize(
    ("model", "argument"),
    [
        (lambda D: small_gan(discriminator=D, minibatch_std=True), "minibatch_std"),
        (lambda D: small_dcgan(discriminator=D, hidden_dim=8), "hidden_dim"),
        (lambda D: ConditionalGAN(SHAPE, discriminator=D, projection=True), "projection"),
    ],
)
def test_options_of_the_default_network_are_rejected_with_a_custom_one(
    model: Any, argument: str
) -> None:
    custom = nn.Sequential(nn.Flatten(), nn.Linear(256, 1))
    with pytest.raises(ArgumentError, match=f"{argument} has no effect on a custom"):
        model(custom)


def test_an_incomplete_last_pack_is_dropped(fit: Fit) -> None:
    assert fit(small_gan(pack=4), loader(images(34))).global_step == 8
    with pytest.raises(ArgumentError, match="pack is 4, but the batch has fewer images"):
        fit(small_gan(pack=4), loader(images(2)))
