"""Train a DCGAN on a folder of images: `python examples/custom_images.py DIR`."""

from pathlib import Path

from jsonargparse import auto_cli
from lightning import Trainer, seed_everything
from torchvision.utils import save_image

from lightning_gen import DCGAN, GeneratorEMA, ImageFolderDataModule, ImageGrid


def main(
    root: Path,
    out: Path = Path("runs/custom_images"),
    image_size: int = 64,
    batch_size: int = 64,
    epochs: int = 100,
    n: int = 64,
) -> None:
    """Train on the images in a folder, then generate new ones.

    Args:
        root: folder with images of any format and size.
        out: folder for `samples`, and for the run with a grid of each epoch.
        image_size: height and width of generated images: 32, 64, 128 or 256 pixels.
        batch_size: number of images in a batch, at most 90 % of all images.
        epochs: number of epochs.
        n: number of images to generate.
    """
    seed_everything(0)
    data = ImageFolderDataModule(
        str(root), batch_size, image_size, preprocess="resize_and_random_crop", flip=True
    )
    model = DCGAN(data.image_shape)
    trainer = Trainer(
        devices=1,
        max_epochs=epochs,
        log_every_n_steps=10,
        default_root_dir=out,
        callbacks=[GeneratorEMA(), ImageGrid()],
    )
    trainer.fit(model, data)

    samples = out / "samples"
    samples.mkdir(parents=True, exist_ok=True)
    for k, x in enumerate(model.sample(n, seed=0)):
        save_image(x, samples / f"{k:03}.png", normalize=True, value_range=(-1, 1))
    print(f"{n} images: {samples}")


if __name__ == "__main__":
    auto_cli(main)
