"""Metrics of a translated image and its target, as in the validation of Pix2Pix."""

from math import nan
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import l1_loss
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from lightning_gen.errors import DataError
from lightning_gen.images.decoding import Pixels
from lightning_gen.types import to_images, to_unit

WINDOW = 11  # pixels of a side of SSIM's


def paired_image_metrics(output: Pixels, target: Pixels) -> dict[str, float]:
    """Return PSNR in dB, SSIM, and L1 distance in [-1, 1] of an image and its target.

    Args:
        output: pixels (c, h, w).
        target: pixels (c, h, w), in any bit depth.

    Returns:
        The metrics by name; SSIM is NaN for images smaller than its window of 11 pixels.

    Raises:
        DataError: the shapes differ.
    """
    if output.shape != target.shape:
        sizes = [f"{w} x {h} pixels, {c} channels" for c, h, w in (output.shape, target.shape)]
        raise DataError(f"the translation has {sizes[0]}, but its target {sizes[1]}")
    fake, x = (to_images(torch.tensor(pixels)[None]).float() for pixels in (output, target))
    p, q = to_unit(fake), to_unit(x)
    ssim = torch.tensor(nan)
    if min(output.shape[1:]) >= WINDOW:
        ssim = cast(Tensor, structural_similarity_index_measure(p, q, data_range=1.0))
    return {
        "PSNR": peak_signal_noise_ratio(p, q, data_range=1.0, dim=(1, 2, 3)).item(),
        "SSIM": ssim.item(),
        "L1": l1_loss(fake, x).item(),
    }
