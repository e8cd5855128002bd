"""Train pix2pix on a folder of pairs: `python examples/pix2pix_on_a_folder.py PAIRS IMAGES`."""

from pathlib import Path

import torch
from jsonargparse import auto_cli
from lightning import Trainer, seed_everything

from lightning_gen import ImageGrid, PairedImageDataModule, Pix2Pix
from lightning_gen.images.reading import files_below, read_image
from lightning_gen.images.writing import output_name, write_image
from lightning_gen.inference.translator import load_translator


def main(
    root: Path,
    images: Path,
    out: Path = Path("runs/pix2pix"),
    image_size: int = 256,
    base_channels: int = 64,
    epochs: int = 200,
) -> None:
    """Train on pairs of images, then translate images of any size.

    Args:
        root: folder of the pairs: A and B side by side in each file of root/train, or files of
            the same name in root/A and root/B.
        images: folder of images to translate from A to B; they are not resized.
        out: folder for `translated` images, the checkpoint, and the run with its grids.
        image_size: height and width in training, a power of 2.
        base_channels: channels of the networks' first layers; fewer are faster.
        epochs: number of epochs.
    """
    seed_everything(0)
    data = PairedImageDataModule(str(root), image_size=image_size)
    num_downs = image_size.bit_length() - 1  # down to 1 x 1, as in the paper: 8 for 256
    model = Pix2Pix(
        data.image_shape, data.target_channels, num_downs=num_downs, base_channels=base_channels
    )
    trainer = Trainer(
        devices=1, max_epochs=epochs, default_root_dir=out, callbacks=[ImageGrid(n=16)]
    )
    trainer.fit(model, data)
    trainer.save_checkpoint(out / "pix2pix.ckpt")

    translator = load_translator(out / "pix2pix.ckpt")
    translator.network.to(trainer.strategy.root_device)
    files = list(map(Path, files_below(images)))
    for path in files:
        pixels = torch.tensor(read_image(path, translator.channels))
        written = out / "translated" / output_name(path.relative_to(images))
        write_image(translator(pixels).numpy(), written)
    print(f"{len(files)} images: {out / 'translated'}")


if __name__ == "__main__":
    auto_cli(main)
