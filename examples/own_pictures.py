"""A DCGAN on a folder of your own pictures: `python examples/own_pictures.py DIR`."""

from pathlib import Path

from jsonargparse import auto_cli
from lightning import Trainer, seed_everything
from torchvision.utils import save_image

from lightning_gen import DCGAN, GeneratorEMA, ImageFolderDataModule, ImageGrid


def main(
    root: Path,
    out: Path = Path("runs/own_pictures"),
    image_size: int = 64,
    batch_size: int = 64,
    epochs: int = 100,
    n: int = 64,
) -> None:
    """Train on the pictures in a folder, then draw new ones.

    Args:
        root: the folder, with pictures of any format and size.
        out: the folder to write to: `samples`, and the run with a grid of each epoch.
        image_size: height and width of what is drawn: 32, 64, 128 or 256 pixels.
        batch_size: pictures in a batch; no more than nine tenths of what there are.
        epochs: how often each picture is seen.
        n: pictures to draw.
    """
    seed_everything(0)
    data = ImageFolderDataModule(str(root), batch_size, image_size, crop="random", flip=True)
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
    print(f"{n} pictures: {samples}")


if __name__ == "__main__":
    auto_cli(main)
