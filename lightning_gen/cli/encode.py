"""encode: the codes of a data set's images, with their labels, for whatever comes next."""

from pathlib import Path
from typing import Literal

import jsonargparse
import numpy as np
import torch
from lightning import LightningDataModule

import lightning_gen.datamodules  # noqa: F401 -- an imported class is known to --data by its name
from lightning_gen.checkpoints import load_model
from lightning_gen.cli.messages import flags_of, parsing, refuse_existing
from lightning_gen.cli.sample import chosen_device, own_class
from lightning_gen.errors import CheckpointError, DataError, UserError
from lightning_gen.files import atomic_write
from lightning_gen.protocols import Encodes, labels_for
from lightning_gen.types import unpack_batch

LOADERS = {"train": "fit", "val": "fit", "test": "test"}  # and the stage that each belongs to


def encode(
    checkpoint: str,
    data: LightningDataModule,
    out: str = "codes.npz",
    split: Literal["train", "val", "test"] = "test",
    device: str | None = None,
    model: str | None = None,
    force: bool = False,
) -> None:
    """Write the codes of a split's images, and their labels, to a file of numpy's.

    It holds `codes` (n, latent_dim) float32 and, where the data has them, `labels` (n,).

    Args:
        checkpoint: the file that training wrote.
        data: a data module.
        out: the file to write, *.npz.
        split: "train", in the order of the training's first epoch, "val" or "test".
        device: cpu, cuda or mps; the fastest there is by default.
        model: class of a model of your own, as my_file.MyClass; ours are named in the checkpoint.
        force: replace a file that exists.

    Raises:
        UserError: the checkpoint cannot be read or encodes nothing, the file exists, or there are
            no images.
    """
    target = Path(out)
    if target.suffix != ".npz":
        raise UserError(f"--out {target} must end in .npz")
    refuse_existing([target], force)
    encoder = load_model(checkpoint, own_class(model)).to(chosen_device(device))
    if not isinstance(encoder, Encodes):
        raise CheckpointError(f"{checkpoint} holds {type(encoder).__name__}, which encodes nothing")

    data.prepare_data()
    data.setup(LOADERS[split])
    codes, labels = [], []
    for number, batch in enumerate(getattr(data, f"{split}_dataloader")()):
        x, y = unpack_batch(data.on_after_batch_transfer(batch, number))
        codes.append(encoder.encode(x, *labels_for(encoder, y)).float().cpu())
        labels += [] if y is None else [y.cpu()]
    if not codes:
        raise DataError(f"{type(data).__name__} has no images in its {split} split")
    arrays = {"codes": torch.cat(codes).numpy()}
    if labels:
        arrays["labels"] = torch.cat(labels).numpy()
    with atomic_write(target) as path, path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    n, entries = arrays["codes"].shape
    print(f"{n} codes of the {split} images, of {entries} entries: {target}")


def run(args: list[str]) -> None:
    """Parse and run a command line that begins with `encode`."""
    parser = jsonargparse.ArgumentParser(
        prog="train.py encode", exit_on_error=False, allow_abbrev=False
    )
    parser.add_argument("checkpoint", type=str, help="the file that training wrote")
    parser.add_function_arguments(encode, skip={"checkpoint"})  # a data module has its own flags
    with parsing(lambda: flags_of(encode)):
        encode(**parser.instantiate(parser.parse_args(args[1:])))
