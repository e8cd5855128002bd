"""What the two translations of images share: losses, and what is measured."""

from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torchmetrics import Metric
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure

from lightning_gen.errors import require_one_of
from lightning_gen.losses import ADVERSARIAL_LOSSES, Adversarial, AdversarialLoss
from lightning_gen.types import Images, to_unit


def reference_losses(adversarial: Adversarial) -> AdversarialLoss:
    """Both players' losses, weighted as by the papers' authors.

    They halve D's loss, so that it learns more slowly than G (Isola et al., 2017, sec. 3.3), and
    leave out the halves that Mao et al. put before the squares.

    Raises:
        ArgumentError: there is no such loss.
    """
    require_one_of(tuple(ADVERSARIAL_LOSSES), adversarial=adversarial)
    whole = 2.0 if adversarial == "least_squares" else 1.0
    return ADVERSARIAL_LOSSES[adversarial].weighted(whole / 2, whole)


class PairedImageMetrics(nn.Module):
    """How near translations are to the truth, over all batches of a stage and all processes."""

    def __init__(self) -> None:
        super().__init__()
        self.psnr = PeakSignalNoiseRatio(data_range=1.0, dim=(1, 2, 3))
        self.ssim = StructuralSimilarityIndexMeasure(data_range=1.0)

    def forward(self, fake: Images, x: Images) -> dict[str, Metric | Tensor]:
        """What there is to log of a batch.

        Args:
            fake: translations (b, c, h, w) in [-1, 1].
            x: what they should be.

        Returns:
            PSNR in dB and SSIM, both of intensities in [0, 1] (SSIM's products of means need that
            black is 0) and means over images, and |fake - x| as `l1`.
        """
        fake, x = fake.float(), x.float()
        p, q = to_unit(fake), to_unit(x)
        self.psnr.update(p, q)
        self.ssim.update(p, q)
        return {"psnr": self.psnr, "ssim": self.ssim, "l1": l1_loss(fake, x)}
