"""Losses, metrics and inference of image translation."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from lightning_gen.errors import require_one_of
from lightning_gen.losses import ADVERSARIAL_LOSSES, Adversarial, AdversarialLoss
from lightning_gen.models.base.batches import check_range
from lightning_gen.sampling import eval_mode, keep_dropout, sampling_mode
from lightning_gen.types import Batch, Direction, Images, Scalar, Translations, to_unit

if TYPE_CHECKING:
    from lightning_gen.models.base.generative_model import GenerativeModel as Base
else:
    Base = object


class ImageTranslation(Base):
    """Mixin of models that translate images between domains A and B.

    Attributes:
        translators: networks by direction.
        dropout_at_test: if ``True``, dropout stays on in translations.
    """

    translators: dict[Direction, nn.Module]
    dropout_at_test = False

    def translate(
        self, x: Tensor, direction: Direction | None = None, seed: int | None = None
    ) -> Translations:
        """Return the translations of images in [-1, 1], in eval mode, without gradients.

        Args:
            x: images (b, c, h, w) of the sizes that the networks take; `Translator` takes any.
            direction: "AtoB" or "BtoA"; by default the first one of the model.
            seed: seed of the dropout; by default, random numbers come from the global generator.

        Raises:
            ArgumentError: If the model does not translate in this direction.
        """
        chosen = next(iter(self.translators)) if direction is None else direction
        require_one_of(tuple(self.translators), direction=chosen)
        with eval_mode(self) if seed is None else sampling_mode(self, self.device, seed):
            keep_dropout(self, self.dropout_at_test)
            images = self.prepare(x)
            check_range(images)
            return self.translators[chosen](images)

    def predict_step(self, batch: Batch, batch_idx: int) -> Translations:
        """Return the translations of the images of A."""
        return self.translate(self.read(batch)[0])


def reference_losses(adversarial: Adversarial) -> AdversarialLoss:
    """Return the adversarial losses with the weights of the authors of pix2pix and CycleGAN.

    They halve the loss of D, so that it learns more slowly than G (Isola et al., 2017, sec. 3.3),
    and omit the factors 1/2 of Mao et al. (2017).

    Raises:
        ArgumentError: If there is no such loss.
    """
    require_one_of(tuple(ADVERSARIAL_LOSSES), adversarial=adversarial)
    whole = 2.0 if adversarial == "least_squares" else 1.0
    return replace(ADVERSARIAL_LOSSES[adversarial], scale=whole / 2, generator_scale=whole)


def paired_image_metrics(fake: Images, x: Images, suffix: str = "") -> dict[str, Scalar]:
    """Return PSNR, SSIM and L1 distance, averaged over images.

    Args:
        fake: translations (b, c, h, w) in [-1, 1].
        x: targets.
        suffix: end of the names of the metrics.

    Returns:
        PSNR in dB and SSIM of intensities in [0, 1] (SSIM needs black to be 0), and |fake - x| as
        ``l1``.
    """
    fake, x = fake.float(), x.float()
    p, q = to_unit(fake), to_unit(x)
    return {
        f"psnr{suffix}": peak_signal_noise_ratio(p, q, data_range=1.0, dim=(1, 2, 3)),
        f"ssim{suffix}": cast(Tensor, structural_similarity_index_measure(p, q, data_range=1.0)),
        f"l1{suffix}": l1_loss(fake, x),
    }
