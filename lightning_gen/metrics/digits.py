"""Classifier of handwritten digits, and feature extractor for metrics of digits."""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor, nn

from lightning_gen.errors import DataError
from lightning_gen.types import Images, Labels, Latents, Logits, to_unit

WEIGHTS = Path(__file__).parent / "digits.safetensors"  # by scripts/train_digit_classifier.py
WEIGHTS_SHA256 = "027f4585253e2407f02a629969633d794d259c9bd6dee444e16214b5cd31c526"
SIDE = 28  # pixels of MNIST's digits


class DigitClassifier(nn.Module):
    """Three stages of 3x3 convolutions with batch norm, a layer of 64 features, and 10 classes.

    `extractor` maps images (b, 1, h, w) to features (b, 64). It can be used with torchmetrics:
    `FrechetInceptionDistance(classifier.extractor, normalize=True, input_img_size=(1, 28, 28))`.
    """

    num_classes = 10
    num_features = 64

    def __init__(self) -> None:
        super().__init__()
        self.extractor = nn.Sequential(
            Center(),  # (b, 1, 28, 28) in [0, 1]
            *_convolution(1, 16),
            nn.MaxPool2d(2),  # (b, 16, 14, 14)
            *_convolution(16, 32),
            *_convolution(32, 32),
            nn.MaxPool2d(2),  # (b, 32, 7, 7)
            *_convolution(32, 64),
            *_convolution(64, 64, padding=0),
            nn.MaxPool2d(2, ceil_mode=True),  # (b, 64, 3, 3)
            nn.Flatten(),
            nn.Linear(64 * 3 * 3, self.num_features),
            nn.ReLU(),
        )
        self.last = nn.Linear(self.num_features, self.num_classes)

    def forward(self, x: Images) -> Logits:
        """Return logits (b, 10) for images (b, 1, h, w) in [-1, 1].

        Raises:
            DataError: If the images are neither 28 x 28 nor 32 x 32 pixels; also by other methods.
        """
        return self.last(self.extractor(x))

    def features(self, x: Images) -> Latents:
        """Return the features (b, 64 c) of images (b, c, h, w), channel by channel."""
        return self.extractor(_channels(x)).view(len(x), -1)

    def classify(self, x: Images) -> Labels:
        """Return the digits (b,) in one channel, or the numbers 100 a + 10 b + c in three."""
        digits = self(_channels(x)).argmax(1).view(x.shape[:2])
        powers = 10 ** torch.arange(x.shape[1] - 1, -1, -1, device=x.device)
        return (digits * powers).sum(1)


class Center(nn.Module):
    """Map images in [-1, 1] to intensities, and crop 32 x 32 pixels to 28 x 28."""

    def forward(self, x: Images) -> Tensor:
        """Return intensities (b, 1, 28, 28) in [0, 1] for images (b, 1, h, w)."""
        border = (x.shape[-1] - SIDE) // 2
        if x.shape[1:] != (1, SIDE + 2 * border, SIDE + 2 * border) or border not in (0, 2):
            raise DataError(
                "the digit classifier requires images of 28 x 28 or 32 x 32 pixels and 1 channel, "
                f"but their shape is {tuple(x.shape[1:])} (channels, height, width)"
            )
        return to_unit(x[..., border : border + SIDE, border : border + SIDE])


def load_digit_classifier() -> DigitClassifier:
    """Load the digit classifier that ships with the package, in eval mode on the CPU.

    The file's metadata contains the training command and the accuracy on MNIST's test images.

    Raises:
        DataError: If the file is damaged.
    """
    content = WEIGHTS.read_bytes()
    if hashlib.sha256(content).hexdigest() != WEIGHTS_SHA256:
        raise DataError(
            f"the digit classifier is damaged: {WEIGHTS} has a wrong checksum.\n"
            "Reinstall lightning_gen."
        )
    with torch.device("meta"):  # random weights would advance torch's generator
        classifier = DigitClassifier()
    classifier.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in load(content).items()},
        assign=True,
    )
    return classifier.eval().requires_grad_(False)


def _channels(x: Images) -> Tensor:
    return x.flatten(0, 1).unsqueeze(1)  # (b, c, h, w) -> (b c, 1, h, w)


def _convolution(channels: int, out: int, padding: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, out, 3, padding=padding, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    ]
