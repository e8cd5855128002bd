"""Image with a row for each model: `python scripts/draw_zoo.py CHECKPOINT ... --out zoo.png`.

A row shows samples, or pairs of input and output of a model that changes images. The checkpoints
are those of recipes for the bundled digits, or digits of their size.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import pad
from torchvision.utils import make_grid

from lightning_gen import DenoisingAutoencoder, DigitPairsDataModule, MNISTDataModule, Pix2Pix
from lightning_gen.callbacks.plots import new_figure, save_figure
from lightning_gen.checkpoints import load_model
from lightning_gen.protocols import Translates
from lightning_gen.sampling import sampling_mode
from lightning_gen.types import Images, to_images, to_pixels

N = 14  # images in a row
SIDE = 32  # height and width in pixels
HEIGHT = 0.44  # of an image, in hundreds of pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", nargs="+")
    parser.add_argument("--out", type=Path, default=Path("zoo.png"))
    args = parser.parse_args()
    models = [load_model(checkpoint) for checkpoint in args.checkpoints]
    figure = new_figure(HEIGHT * N + 2.0, 1.2 * HEIGHT * len(models))
    for axes, model in zip(figure.subplots(len(models), squeeze=False)[:, 0], models, strict=True):
        pixels = to_pixels(row(model)).expand(-1, 3, -1, -1)
        border = (SIDE - pixels.shape[-1]) // 2
        tiles = make_grid(pad(pixels, [border] * 4), nrow=N, padding=1, pad_value=255)
        axes.imshow(tiles.permute(1, 2, 0).numpy())
        axes.text(-6, SIDE / 2, type(model).__name__, ha="right", va="center", fontsize=9)
        axes.set_axis_off()
        axes.set_anchor("E")
    save_figure(figure, args.out)


def row(model: Any) -> Images:
    """Return N images (N, c, h, w): samples, or inputs and outputs in turn."""
    if isinstance(model, Translates):
        pairs = DigitPairsDataModule("color" if isinstance(model, Pix2Pix) else "ink")
        pairs.setup("test")
        inputs = to_images(pairs.test_set[torch.arange(N // 2)]["A"])
        outputs = model.translate(inputs)
    elif isinstance(model, DenoisingAutoencoder):
        digits = MNISTDataModule("12k")
        digits.setup("test")
        with sampling_mode(model, model.device, seed=0):
            inputs = model.corrupt(to_images(digits.test_set.pixels[: N // 2]))
        outputs = model.reconstruct(inputs)
    else:
        return model.sample(N, seed=0)
    return torch.stack([inputs, outputs], 1).flatten(0, 1)


if __name__ == "__main__":
    main()
