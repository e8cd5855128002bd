"""pix2pix on your own pairs: `python examples/pix2pix_on_a_folder.py PAIRS PICTURES`."""

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
    pictures: Path,
    out: Path = Path("runs/pix2pix"),
    image_size: int = 256,
    width: int = 64,
    epochs: int = 200,
) -> None:
    """Learn to translate from pairs, then translate pictures of any size.

    Args:
        root: the folder of the pairs: A and B side by side in each file of root/train, or files of
            one name in root/A and root/B.
        pictures: a folder of pictures to translate from A to B; they are not resized.
        out: the folder to write to: `translated`, the checkpoint, and the run with its grids.
        image_size: height and width in training, a power of 2.
        width: channels of the networks next to the image; fewer are faster.
        epochs: how often each pair is seen.
    """
    seed_everything(0)
    data = PairedImageDataModule(str(root), image_size=image_size)
    levels = image_size.bit_length() - 1  # down to 1 x 1, as the paper's 8 from 256
    model = Pix2Pix(data.image_shape, data.target_channels, num_downs=levels, base_channels=width)
    trainer = Trainer(
        devices=1, max_epochs=epochs, default_root_dir=out, callbacks=[ImageGrid(n=16)]
    )
    trainer.fit(model, data)
    trainer.save_checkpoint(out / "pix2pix.ckpt")

    translator = load_translator(out / "pix2pix.ckpt")
    translator.network.to(trainer.strategy.root_device)
    files = list(map(Path, files_below(pictures)))
    for path in files:
        pixels = torch.tensor(read_image(path, translator.channels))
        written = out / "translated" / output_name(path.relative_to(pictures))
        write_image(translator(pixels).numpy(), written)
    print(f"{len(files)} pictures: {out / 'translated'}")


if __name__ == "__main__":
    auto_cli(main)
