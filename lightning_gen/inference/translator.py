"""Translating pictures as they lie in files: of any size and depth, by any checkpoint."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from lightning import LightningModule
from torch import Tensor, nn

from lightning_gen.checkpoints import load_model
from lightning_gen.errors import CheckpointError, UserError
from lightning_gen.files import read_data
from lightning_gen.images.tiling import translate_tiled
from lightning_gen.networks import PatchDiscriminator, load_reference_weights
from lightning_gen.protocols import HasDirections, HasDropoutAtTest, HasInputSize, Translates
from lightning_gen.sampling import keep_dropout, sampling_mode
from lightning_gen.types import Direction, Images, to_images, to_pixels


@dataclass(frozen=True)
class Translator:
    """Maps a picture's pixels to those of its translation.

    Args:
        network: what is evaluated, on the device where it lives.
        G: the translation, images to images of the same size.
        sizes: the network that knows what fits; without one, everything does.
        noise: whether the network's dropout goes on.
    """

    network: nn.Module
    G: Callable[[Images], Images]
    sizes: HasInputSize | None = None
    noise: bool = False

    @property
    def channels(self) -> int | None:
        """The number of channels that pictures must have, if it is known."""
        return self.sizes.in_channels if self.sizes else None

    def __call__(self, pixels: Tensor, tile: int = 1024, seed: int = 0) -> Tensor:
        """Translate pixels (c, h, w) in uint8, uint16 or float32, and keep their depth.

        Args:
            pixels: of any height and width.
            tile: see `translate_tiled`.
            seed: of the noise, if there is any.
        """
        device = next((p.device for p in self.network.parameters()), torch.device("cpu"))
        multiple = self.sizes.multiple if self.sizes else 1

        def G(x: Tensor) -> Images:
            return self.G(to_images(x).to(device)).cpu()

        def keep(strip: Images) -> Tensor:
            return to_pixels(strip, pixels.dtype)

        with sampling_mode(self.network, device, seed):
            keep_dropout(self.network, self.noise)
            return translate_tiled(G, pixels[None], multiple, tile, tile // 8, keep)[0]


def load_translator(
    checkpoint: str | Path,
    direction: Direction | None = None,
    cls: type[LightningModule] | None = None,
    noise: bool | None = None,
) -> Translator:
    """Read what translates from a file, onto the CPU.

    Args:
        checkpoint: of one of this package's models, or published weights of pix2pix or CycleGAN.
        direction: one that the model has learnt, its first by default; published weights have one.
        cls: the model's class, if it is one of your own.
        noise: whether dropout goes on; as the model has it by default, published weights without.

    Raises:
        CheckpointError: the file cannot be read, or translates nothing.
        UserError: it translates in another direction only, or has no dropout.
    """
    if not _is_lightning_s(read_data(Path(checkpoint))):
        network = load_reference_weights(checkpoint)
        if isinstance(network, PatchDiscriminator):
            raise CheckpointError(f"{checkpoint} holds a discriminator, which translates nothing")
        if direction:
            raise UserError(f"{checkpoint} holds one network: leave out --direction")
        if noise and not any(isinstance(module, nn.Dropout) for module in network.modules()):
            raise UserError(f"--noise true: the network in {checkpoint} has no dropout")
        return Translator(network, network, network, bool(noise))
    model = load_model(checkpoint, cls)
    if not isinstance(model, Translates):
        name = type(model).__name__
        raise CheckpointError(f"{checkpoint} holds {name}, which translates nothing")
    if isinstance(model, HasDropoutAtTest):
        model.dropout_at_test = model.dropout_at_test if noise is None else noise
    elif noise:
        raise UserError(f"--noise true: {type(model).__name__} does not draw its translations")
    known = dict(model.translators) if isinstance(model, HasDirections) else {}
    chosen: Direction = direction or next(iter(known), "AtoB")  # type: ignore[assignment]
    if known and chosen not in known:
        raise UserError(f"--direction {chosen}: {checkpoint} translates {' and '.join(known)} only")
    sizes = known.get(chosen)
    return Translator(
        model,
        partial(model.translate, direction=chosen),
        sizes if isinstance(sizes, HasInputSize) else None,
        isinstance(model, HasDropoutAtTest) and model.dropout_at_test is True,
    )


def _is_lightning_s(data: object) -> bool:
    return isinstance(data, dict) and "state_dict" in data
