"""pix2pix and CycleGAN: resumed runs, and translations, which do not affect training."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import LambdaCallback
from torch import Tensor, nn
from torch.utils.data import DataLoader, StackDataset

from lightning_gen import CycleGAN, Pix2Pix
from lightning_gen.errors import ArgumentError
from lightning_gen.inference.translator import Translator
from tests.conftest import images, same, state

SHAPE = (3, 16, 16)
Fit = Callable[..., Trainer]


def pix2pix(**kwargs: Any) -> Pix2Pix:
    return Pix2Pix(
        **{"image_shape": SHAPE, "num_downs": 3, "base_channels": 4, "num_layers": 1} | kwargs
    )


def cyclegan(**kwargs: Any) -> CycleGAN:
    return CycleGAN(
        **{"image_shape": SHAPE, "num_blocks": 1, "base_channels": 4, "num_layers": 1} | kwargs
    )


def noisy(**kwargs: Any) -> Pix2Pix:
    """A small pix2pix with dropout in its generator, as for 256 pixels."""
    G = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Dropout(), nn.Conv2d(8, 3, 1), nn.Tanh())
    return pix2pix(generator=G, dropout_at_test=True, **kwargs)


MODELS = {"pix2pix": pix2pix, "noisy": noisy, "cyclegan": cyclegan}


def pairs(n: int = 6, batch_size: int = 2, channels: tuple[int, int] = (3, 3)) -> DataLoader:
    a, b = (images(n, (c, 16, 16)).roll(turn, 3) for turn, c in enumerate(channels))
    return DataLoader(StackDataset(A=a, B=b), batch_size=batch_size)


def translate(model: Any) -> Tensor:
    """Return translations that are the same at every call, also with dropout."""
    return model.translate(images(2, SHAPE), **({"seed": 0} if isinstance(model, Pix2Pix) else {}))


# Checkpoints


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_resumed_training_equals_an_uninterrupted_one(make: Any, fit: Fit, tmp_path: Any) -> None:
    settings = {"pool_size": 3} if make is cyclegan else {}
    whole, first, second = (make(**settings) for _ in range(3))
    first.load_state_dict(whole.state_dict())
    fit(whole, pairs(), max_epochs=4)
    seed_everything(0)
    stop = LambdaCallback(on_train_epoch_end=lambda trainer, _: stop_after(trainer, 2))
    trainer = fit(first, pairs(), max_epochs=4, callbacks=[stop])
    assert trainer.global_step == 6
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    fit(second, pairs(), max_epochs=4, ckpt_path=tmp_path / "half.ckpt")
    assert same(state(whole), state(second))


def stop_after(trainer: Trainer, epochs: int) -> None:
    trainer.should_stop = trainer.current_epoch + 1 == epochs


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_loaded_model_gives_the_translations_of_the_saved_one(
    make: Any, fit: Fit, tmp_path: Any
) -> None:
    model = make()
    fit(model, pairs(), max_epochs=1).save_checkpoint(tmp_path / "a.ckpt")
    custom = {"generator": model.generator} if make is noisy else {}
    loaded = type(model).load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True, **custom)
    assert torch.equal(translate(model), translate(loaded))


# Translation


def test_cyclegan_translates_in_both_directions() -> None:
    model, x = cyclegan(target_channels=1, lambda_identity=0), images(2, SHAPE)
    fake_b = model.translate(x)
    assert fake_b.shape == (2, 1, 16, 16)
    assert model.translate(fake_b, "BtoA").shape == (2, *SHAPE)
    assert torch.equal(model.translate(x, "AtoB"), fake_b)


def test_domains_may_have_different_channels(fit: Fit) -> None:
    data = pairs(2, batch_size=1, channels=(3, 1))
    model = cyclegan(target_channels=1, lambda_identity=0, pool_size=1)
    assert fit(model, data, val=data, max_epochs=1).global_step == 2


def test_pix2pix_translates_in_the_direction_of_its_training() -> None:
    model = pix2pix(target_channels=1, direction="BtoA")
    assert model.translate(images(2, (1, 16, 16))).shape == (2, *SHAPE)
    with pytest.raises(ArgumentError, match="direction must be one of 'BtoA', but is 'AtoB'"):
        model.translate(images(2, (1, 16, 16)), "AtoB")


def test_dropout_makes_translations_random_unless_seeded() -> None:
    x = images(1, (3, 64, 64))
    kwargs: dict[str, Any] = {"image_shape": (3, 64, 64), "num_downs": 6}
    plain, noisy = pix2pix(**kwargs), pix2pix(dropout_at_test=True, **kwargs)
    assert torch.equal(plain.translate(x), plain.translate(x))
    assert not torch.equal(noisy.translate(x), noisy.translate(x))
    assert torch.equal(noisy.translate(x, seed=1), noisy.translate(x, seed=1))
    torch.manual_seed(0)
    one = noisy.translate(x)
    torch.manual_seed(0)
    assert torch.equal(noisy.translate(x), one)
    assert noisy.training


def test_a_translator_has_the_same_dropout_for_each_image() -> None:
    model = pix2pix(image_shape=(3, 64, 64), num_downs=6, dropout_at_test=True)
    translate, x = Translator(model, model.translate, model.generator), images(1, (3, 64, 64))[0]
    assert torch.equal(translate(x), translate(x))
    assert not torch.equal(translate(x), translate(x, seed=1))


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_translation_does_not_affect_training(make: Any, fit: Fit) -> None:
    a, b = make(), make()
    b.load_state_dict(a.state_dict())
    fit(a, pairs())
    seed_everything(0)
    step = b.training_step
    b.training_step = lambda batch, batch_idx: (translate(b), step(batch, batch_idx))[1]
    fit(b, pairs())
    assert same(state(a), state(b))
