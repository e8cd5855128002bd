"""Losses and metrics of image translation."""

from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torchmetrics import Metric
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure

from lightning_gen.errors import require_one_of
from lightning_gen.losses import ADVERSARIAL_LOSSES, Adversarial, AdversarialLoss
from lightning_gen.types import Images, to_unit


def reference_losses(adversarial: Adversarial) -> AdversarialLoss:
    """Return the adversarial losses with the weights of the authors of pix2pix and CycleGAN.

    They halve the loss of D, so that it learns more slowly than G (Isola et al., 2017, sec. 3.3),
    and omit the factors 1/2 of Mao et al. (2017).

    Raises:
        ArgumentError: If there is no such loss.
    """
    require_one_of(tuple(ADVERSARIAL_LOSSES), adversarial=adversarial)
    whole = 2.0 if adversarial == "least_squares" else 1.0
    return ADVERSARIAL_LOSSES[adversarial].weighted(whole / 2, whole)


class PairedImageMetrics(nn.Module):
    """PSNR, SSIM and L1 distance of translations, over all batches and processes of a stage."""

    def __init__(self) -> None:
        super().__init__()
        self.psnr = PeakSignalNoiseRatio(data_range=1.0, dim=(1, 2, 3))
        self.ssim = StructuralSimilarityIndexMeasure(data_range=1.0)

    def forward(self, fake: Images, x: Images) -> dict[str, Metric | Tensor]:
        """Return the metrics of a batch for logging.

        Args:
            fake: translations (b, c, h, w) in [-1, 1].
            x: targets.

        Returns:
            PSNR in dB and SSIM of intensities in [0, 1], averaged over images (SSIM needs black to
            be 0), and |fake - x| as ``l1``.
        """
        fake, x = fake.float(), x.float()
        p, q = to_unit(fake), to_unit(x)
        self.psnr.update(p, q)
        self.ssim.update(p, q)
        return {"psnr": self.psnr, "ssim": self.ssim, "l1": l1_loss(fake, x)}
