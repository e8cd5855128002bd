"""encode: codes and labels of the images of a data set, as a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import BatchSampler

from lightning_gen.checkpoints import build_model, read_checkpoint
from lightning_gen.cli.messages import command_parser, parse, refuse_existing
from lightning_gen.cli.sample import chosen_device, custom_class
from lightning_gen.cli.trained import add_data_of_training
from lightning_gen.datamodules.base import TensorDataModule
from lightning_gen.errors import CheckpointError, DataError, UserError
from lightning_gen.files import atomic_write
from lightning_gen.protocols import Encodes, labels_for
from lightning_gen.types import to_labels, unpack_batch

LOADERS = {"train": "fit", "val": "fit", "test": "test"}  # stages of `setup`


def encode(
    checkpoint: str,
    data: LightningDataModule,
    out: str = "codes.npz",
    split: Literal["train", "val", "test"] = "test",
    device: str | None = None,
    model: str | None = None,
    force: bool = False,
    saved: dict[str, Any] | None = None,
) -> None:
    """Write the codes of images, and their labels, to a NumPy file.

    The file has `codes` (n, latent_dim) float32 and, if the data has labels, `labels` (n,).

    Args:
        checkpoint: file that training wrote.
        data: data module with the images; that of the training by default.
        out: file to write, *.npz.
        split: images to encode: "train", in the order of the first epoch of training, "val" or
            "test".
        device: "cpu", "cuda" or "mps"; the fastest available one by default.
        model: class of a custom model, such as my_file.MyModel; the checkpoint names the others.
        force: if True, replace an existing file.
        saved: content of the checkpoint, if it has been read.

    Raises:
        UserError: the checkpoint cannot be read, the model has no encoder, the file exists, or
            there are no images.
    """
    target = Path(out)
    if target.suffix != ".npz":
        raise UserError(f"--out {target} must end in .npz")
    refuse_existing([target], force)
    saved = read_checkpoint(checkpoint) if saved is None else saved
    encoder = build_model(saved, checkpoint, custom_class(model)).to(chosen_device(device))
    if not isinstance(encoder, Encodes):
        raise CheckpointError(f"{checkpoint} holds {type(encoder).__name__}, which has no encoder")

    data.prepare_data()
    data.setup(LOADERS[split])
    codes, labels = [], []
    for x, y in _batches(data, split, encoder.device):
        codes.append(encoder.encode(x, *labels_for(encoder, y)).float().cpu())
        labels += [] if y is None else [to_labels(y).cpu()]
    if not codes:
        raise DataError(f"{type(data).__name__} has no {split} images")
    arrays = {"codes": torch.cat(codes).numpy()}
    if labels:
        arrays["labels"] = torch.cat(labels).numpy()
    with atomic_write(target) as path, path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    n, latent_dim = arrays["codes"].shape
    print(f"Codes of {n} {split} images, with {latent_dim} dimensions each: {target}")


def run(args: list[str]) -> None:
    """Parse and run a command line that begins with `encode`."""
    parser = command_parser(encode)
    saved = add_data_of_training(parser, args[1:], "data module with the images")
    parser.add_function_arguments(encode, skip={"checkpoint", "data", "saved"})
    encode(**parser.instantiate(parse(parser, args[1:])), saved=saved)


def _batches(
    data: LightningDataModule, split: str, device: torch.device
) -> Iterator[tuple[Tensor, Any]]:
    """Yield all images of a split and their labels, by the hooks that a Trainer calls."""
    if isinstance(data, TensorDataModule):
        loaders: Any = data.split_dataloader(split)  # type: ignore[arg-type]
    else:
        loaders = getattr(data, f"{split}_dataloader")()
    for i, loader in enumerate(loaders if isinstance(loaders, list | tuple) else [loaders]):
        if isinstance(sampler := getattr(loader, "batch_sampler", None), BatchSampler):
            sampler.drop_last = False  # only training needs whole batches
        for batch in loader:
            batch = data.on_before_batch_transfer(batch, i)
            batch = data.transfer_batch_to_device(batch, device, i)
            yield unpack_batch(data.on_after_batch_transfer(batch, i))
