"""pix2pix and CycleGAN: metrics of the validation, and invalid arguments and data."""

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

# Validation


def test_pix2pix_logs_errors_of_pixels_and_cyclegan_of_reconstructions(fit: Fit) -> None:
    metrics = fit(pix2pix(), pairs(), val=pairs(), max_epochs=1).callback_metrics
    assert metrics.keys() >= {"val/psnr", "val/ssim", "val/l1"}
    metrics = fit(cyclegan(), pairs(), val=pairs(), max_epochs=1).callback_metrics
    assert metrics.keys() >= {"val/cycle_a", "val/cycle_b"}
    assert "val/psnr_b" not in metrics


def test_cyclegan_logs_errors_of_translations_with_paired_validation(fit: Fit) -> None:
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


def test_paired_metrics_are_those_of_intensities() -> None:
    white, black = torch.ones(1, 3, 16, 16), -torch.ones(1, 3, 16, 16)
    metrics = paired_image_metrics(white, black)
    assert metrics["l1"] == 2
    assert metrics["psnr"] == 0
    # Wang et al. (2004), eq. 13 with C_1 = .01^2: 2 mu_x mu_y is 0, mu_x^2 + mu_y^2 is 1
    assert metrics["ssim"].item() == pytest.approx(1e-4 / (1 + 1e-4))


def test_an_invalid_direction_is_rejected() -> None:
    for model in (pix2pix(), cyclegan()):
        with pytest.raises(ArgumentError, match="direction"):
            type(model).translate.__wrapped__(
                model, images(2, SHAPE), "atob"
            )  # without type checks


def test_color_augmentation_of_pairs_is_rejected() -> None:
    with pytest.raises(ArgumentError, match="augmentations of pairs must not contain 'color'"):
        pix2pix(augmentations=("cutout", "color"))


def test_a_checkpoint_with_a_custom_generator_needs_it_again(fit: Fit, tmp_path: Path) -> None:
    model = Pix2Pix((3, 20, 20), base_channels=2, num_layers=1, generator=Roll())
    data = DataLoader(StackDataset(*images(2, SHAPE).new_zeros(2, 2, 3, 20, 20)), batch_size=1)
    fit(model, data, max_epochs=1).save_checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=r"custom networks, pass them to Pix2Pix\.load"):
        load_model(tmp_path / "a.ckpt")


class Roll(nn.Module):
    """The correct translation of `pairs`, with a parameter that has no effect."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x.roll(1, 3) + 0 * self.unused


def test_invalid_sizes_networks_and_arguments_are_rejected() -> None:
    with pytest.raises(ArgumentError, match="num_downs is 8, but 128 x 128 pixels"):
        Pix2Pix((3, 128, 128))
    with pytest.raises(ArgumentError, match="generator must map"):
        pix2pix(generator=nn.Conv2d(3, 1, 1))
    with pytest.raises(ArgumentError, match="generator_ba fails"):
        cyclegan(target_channels=1, lambda_identity=0, generator_ba=nn.Conv2d(3, 3, 1))
    with pytest.raises(ArgumentError, match="discriminator_b must return a score"):
        cyclegan(discriminator_b=nn.Flatten(0))
    with pytest.raises(ArgumentError, match="lambda_identity must be 0"):
        cyclegan(target_channels=1)
    for fixed in ("micro_batch_size", "pack", "share_fakes"):
        with pytest.raises(TypeError, match=fixed):
            pix2pix(**{fixed: 2})
    for make in MODELS.values():
        with pytest.raises(ArgumentError, match="target_channels must be at least 1"):
            make(target_channels=0)


def test_the_default_networks_are_checked_with_the_image_size() -> None:
    with pytest.raises(ArgumentError, match="image_shape .* multiples of 4"):
        cyclegan(image_shape=(3, 30, 32))
    for make in MODELS.values():
        with pytest.raises(ArgumentError, match="image_shape .* at least 24"):
            make(num_layers=3)
    random = torch.get_rng_state()
    model = pix2pix()
    torch.set_rng_state(random)
    expected = UNetGenerator(3, 3, 3, 4)  # the check draws no random numbers
    assert same(state(model.generator), state(expected))


def test_a_final_sigmoid_is_rejected() -> None:
    custom = nn.Sequential(nn.Conv2d(6, 1, 4), nn.Sigmoid())
    with pytest.raises(ArgumentError, match="discriminator must return raw scores"):
        pix2pix(discriminator=custom)


def test_a_custom_generator_in_eval_mode_is_trained() -> None:
    model = pix2pix(generator=UNetGenerator(3, 3, 3, 4).eval())
    assert all(module.training for module in model.generator.modules())


def test_pix2pix_scores_translations_with_their_source_images() -> None:
    model, (a, b) = pix2pix(), images(4, SHAPE).split(2)
    with torch.no_grad():
        expected = model.eval().discriminator(torch.cat([a, b], 1))
    assert torch.equal(model.train().score(b, a), expected)
    assert len(model.features(b, a)) == 2
    with pytest.raises(DataError, match=r"score\(b, a\)"):
        model.score(b)


def test_invalid_batches_are_rejected(fit: Fit) -> None:
    with pytest.raises(DataError, match='{"A": images, "B": images}'):
        fit(pix2pix(), DataLoader(images(4, SHAPE)))
    with pytest.raises(DataError, match="images of B have 1 channels"):
        fit(pix2pix(), pairs(channels=(3, 1)))
    model = cyclegan()
    fit(model, pairs(), max_epochs=1)
    with pytest.raises(DataError, match="images of B have 1 channels"):
        fit(model, pairs(channels=(3, 1)))


def test_one_bright_domain_causes_no_warning(fit: Fit, recwarn: pytest.WarningsRecorder) -> None:
    bright, dark = images(2, SHAPE).abs(), images(2, SHAPE)
    fit(pix2pix(), DataLoader(StackDataset(A=dark, B=bright), batch_size=2), max_epochs=1)
    assert not [entry for entry in recwarn if "2 * x - 1" in str(entry.message)]
    with pytest.warns(UserWarning, match=r"2 \* x - 1"):
        fit(pix2pix(), DataLoader(StackDataset(A=bright, B=bright), batch_size=2), max_epochs=1)
