"""Translation of images of any size and bit depth, by a checkpoint or published weights."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from lightning import LightningModule
from torch import Tensor, nn

from lightning_gen.checkpoints import build_model, is_checkpoint
from lightning_gen.errors import CheckpointError, UserError
from lightning_gen.files import read_data
from lightning_gen.images.tiling import translate_tiled
from lightning_gen.networks import PatchDiscriminator
from lightning_gen.networks.reference import build_reference_network
from lightning_gen.protocols import HasDirections, HasDropoutAtTest, HasInputSize, Translates
from lightning_gen.sampling import keep_dropout, sampling_mode
from lightning_gen.types import Direction, Images, to_images, to_pixels


@dataclass(frozen=True)
class Translator:
    """Translate an image's pixels.

    Args:
        network: module to evaluate, on its device.
        G: translation of images to images of the same size.
        sizes: network that limits channels and sizes; if None, there is no limit.
        dropout_at_test: if True, keep the network's dropout on.
    """

    network: nn.Module
    G: Callable[[Images], Images]
    sizes: HasInputSize | None = None
    dropout_at_test: bool = False

    @property
    def channels(self) -> int | None:
        """Required number of channels, or None if any is possible."""
        return self.sizes.in_channels if self.sizes else None

    def __call__(self, pixels: Tensor, tile: int = 1024, seed: int = 0) -> Tensor:
        """Translate pixels (c, h, w) in uint8, uint16 or float32, and return the same dtype.

        Args:
            pixels: pixels of any height and width.
            tile: see `translate_tiled`.
            seed: seed of dropout.
        """
        device = next((p.device for p in self.network.parameters()), torch.device("cpu"))
        multiple = self.sizes.multiple if self.sizes else 1

        def G(x: Tensor) -> Images:
            return self.G(to_images(x).to(device)).cpu()

        def quantize(strip: Images) -> Tensor:
            return to_pixels(strip, pixels.dtype)

        with sampling_mode(self.network, device, seed):
            keep_dropout(self.network, self.dropout_at_test)
            return translate_tiled(G, pixels[None], multiple, tile, tile // 8, quantize)[0]


def load_translator(
    checkpoint: str | Path,
    direction: Direction | None = None,
    cls: type[LightningModule] | None = None,
    dropout_at_test: bool | None = None,
) -> Translator:
    """Load a translator from a file, on the CPU.

    Args:
        checkpoint: checkpoint of a model, or published weights of pix2pix or CycleGAN.
        direction: direction of translation, by default the model's first; published weights have
            only one.
        cls: class of a custom model.
        dropout_at_test: if True, keep dropout on; by default as in the model, and off for published
            weights.

    Raises:
        CheckpointError: the file cannot be read, or its model does not translate.
        UserError: the model does not translate in this direction, or has no dropout.
    """
    data = read_data(checkpoint)
    if not is_checkpoint(data):
        network = build_reference_network(data, checkpoint)
        if isinstance(network, PatchDiscriminator):
            raise CheckpointError(
                f"{checkpoint} contains a discriminator, which does not translate"
            )
        if direction:
            raise UserError(f"{checkpoint} contains a single network: remove --direction")
        if dropout_at_test and not any(
            isinstance(module, nn.Dropout) for module in network.modules()
        ):
            raise UserError(f"--dropout_at_test true: the network in {checkpoint} has no dropout")
        return Translator(network, network, network, bool(dropout_at_test))
    model = build_model(data, checkpoint, cls)
    if not isinstance(model, Translates):
        name = type(model).__name__
        raise CheckpointError(f"{checkpoint} contains {name}, which does not translate")
    if isinstance(model, HasDropoutAtTest):
        if dropout_at_test is not None:
            model.dropout_at_test = dropout_at_test
    elif dropout_at_test:
        raise UserError(f"--dropout_at_test true: {type(model).__name__} has no dropout at test")
    networks = dict(model.translators) if isinstance(model, HasDirections) else {}
    chosen: Direction = direction or next(iter(networks), "AtoB")  # type: ignore[assignment]
    if networks and chosen not in networks:
        raise UserError(
            f"--direction {chosen}: {checkpoint} only translates {' and '.join(networks)}"
        )
    sizes = networks.get(chosen)
    return Translator(
        model,
        partial(model.translate, direction=chosen),
        sizes if isinstance(sizes, HasInputSize) else None,
        isinstance(model, HasDropoutAtTest) and model.dropout_at_test is True,
    )
