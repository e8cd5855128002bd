"""Laws of pix2pix and CycleGAN: what validation measures, and what is refused."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, StackDataset

from lightning_gen import Pix2Pix
from lightning_gen.checkpoints import load_model
from lightning_gen.errors import ArgumentError, CheckpointError, DataError
from lightning_gen.models.base.translation import paired_image_metrics
from lightning_gen.networks import UNetGenerator
from tests.conftest import images, same, state
from tests.test_translation import MODELS, SHAPE, Fit, cyclegan, pairs, pix2pix

# Validation, and what does not fit


def test_pix2pix_measures_pixels_and_cyclegan_what_comes_back(fit: Fit) -> None:
    metrics = fit(pix2pix(), pairs(), val=pairs(), max_epochs=1).callback_metrics
    assert metrics.keys() >= {"val/psnr", "val/ssim", "val/l1"}
    metrics = fit(cyclegan(), pairs(), val=pairs(), max_epochs=1).callback_metrics
    assert metrics.keys() >= {"val/cycle_a", "val/cycle_b"}
    assert "val/psnr_b" not in metrics


def test_cyclegan_measures_translations_where_pairs_are_true(fit: Fit) -> None:
    model = cyclegan(generator_ab=Roll(), paired_validation=True)
    metrics = fit(model, pairs(), val=pairs(), max_epochs=1).callback_metrics
    assert metrics["val/l1_b"] == 0
    assert metrics["val/ssim_b"] == pytest.approx(1)
    assert metrics["val/l1_a"] > 0.01


def test_perfect_translations_have_no_error(fit: Fit) -> None:
    model = pix2pix(generator=Roll())
    metrics = fit(model, pairs(), val=pairs(), max_epochs=1).callback_metrics
    assert metrics["val/l1"] == 0
    assert metrics["val/ssim"] == pytest.approx(1)


def test_likeness_is_that_of_intensities() -> None:
    white, black = torch.ones(1, 3, 16, 16), -torch.ones(1, 3, 16, 16)
    metrics = paired_image_metrics(white, black)
    assert metrics["l1"] == 2
    assert metrics["psnr"] == 0
    # Wang et al. (2004), eq. 13 with C_1 = .01^2: 2 mu_x mu_y is 0, mu_x^2 + mu_y^2 is 1
    assert metrics["ssim"].item() == pytest.approx(1e-4 / (1 + 1e-4))


def test_a_direction_that_is_none_is_named() -> None:
    for model in (pix2pix(), cyclegan()):
        with pytest.raises(ArgumentError, match="direction"):
            type(model).translate.__wrapped__(model, images(2, SHAPE), "atob")  # types unchecked


def test_colours_of_pairs_are_not_mixed() -> None:
    with pytest.raises(ArgumentError, match="augmentations of pairs cannot be 'color'"):
        pix2pix(augmentations=("cutout", "color"))


def test_a_checkpoint_of_an_own_generator_asks_for_it(fit: Fit, tmp_path: Path) -> None:
    model = Pix2Pix((3, 20, 20), base_channels=2, num_layers=1, generator=Roll())
    data = DataLoader(StackDataset(*images(2, SHAPE).new_zeros(2, 2, 3, 20, 20)), batch_size=1)
    fit(model, data, max_epochs=1).save_checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=r"networks of your own, pass them to Pix2Pix\.load"):
        load_model(tmp_path / "a.ckpt")


class Roll(nn.Module):
    """The truth about `pairs`, and a parameter that changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x.roll(1, 3) + 0 * self.nothing


def test_sizes_and_networks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ArgumentError, match="levels 8 halve"):
        Pix2Pix((3, 128, 128))
    with pytest.raises(ArgumentError, match="generator must map"):
        pix2pix(generator=nn.Conv2d(3, 1, 1))
    with pytest.raises(ArgumentError, match="generator_ba fails"):
        cyclegan(target_channels=1, lambda_identity=0, generator_ba=nn.Conv2d(3, 3, 1))
    with pytest.raises(ArgumentError, match="discriminator_b must give a score"):
        cyclegan(discriminator_b=nn.Flatten(0))
    with pytest.raises(ArgumentError, match="identity must be 0"):
        cyclegan(target_channels=1)
    with pytest.raises(ArgumentError, match="accumulate must be 1"):
        pix2pix(accumulate=2)
    with pytest.raises(TypeError, match="pack"):
        pix2pix(pack=2)
    for make in MODELS.values():
        with pytest.raises(ArgumentError, match="target_channels must be at least 1"):
            make(target_channels=0)


def test_the_default_networks_are_tried_on_the_image_s_size() -> None:
    with pytest.raises(ArgumentError, match="image_shape .* multiples of 4"):
        cyclegan(image_shape=(3, 30, 32))
    for make in MODELS.values():
        with pytest.raises(ArgumentError, match="image_shape .* at least 24"):
            make(num_layers=3)
    random = torch.get_rng_state()
    model = pix2pix()
    torch.set_rng_state(random)
    expected = UNetGenerator(3, 3, 3, 4)  # trying draws no random numbers
    assert same(state(model.generator), state(expected))


def test_sigmoids_are_refused() -> None:
    judge = nn.Sequential(nn.Conv2d(6, 1, 4), nn.Sigmoid())
    with pytest.raises(ArgumentError, match="discriminator must give raw scores"):
        pix2pix(discriminator=judge)


def test_published_weights_are_trained_on() -> None:
    model = pix2pix(generator=UNetGenerator(3, 3, 3, 4).eval())
    assert all(module.training for module in model.generator.modules())


def test_pix2pix_judges_translations_beside_their_sources() -> None:
    model, (a, b) = pix2pix(), images(4, SHAPE).split(2)
    with torch.no_grad():
        expected = model.eval().discriminator(torch.cat([a, b], 1))
    assert torch.equal(model.train().score(b, a), expected)
    assert len(model.features(b, a)) == 2
    with pytest.raises(DataError, match=r"score\(b, a\)"):
        model.score(b)


def test_batches_that_do_not_fit_are_refused(fit: Fit) -> None:
    with pytest.raises(DataError, match='{"A": images, "B": images}'):
        fit(pix2pix(), DataLoader(images(4, SHAPE)))
    with pytest.raises(DataError, match="B's images have 1 channels"):
        fit(pix2pix(), pairs(channels=(3, 1)))
    model = cyclegan()
    fit(model, pairs(), max_epochs=1)
    with pytest.raises(DataError, match="B's images have 1 channels"):
        fit(model, pairs(channels=(3, 1)))


def test_a_bright_domain_beside_a_dark_one_is_no_mistake(
    fit: Fit, recwarn: pytest.WarningsRecorder
) -> None:
    bright, dark = images(2, SHAPE).abs(), images(2, SHAPE)
    fit(pix2pix(), DataLoader(StackDataset(A=dark, B=bright), batch_size=2), max_epochs=1)
    assert not [seen for seen in recwarn if "2 * x - 1" in str(seen.message)]
    with pytest.warns(UserWarning, match=r"2 \* x - 1"):
        fit(pix2pix(), DataLoader(StackDataset(A=bright, B=bright), batch_size=2), max_epochs=1)
