"""Find nearest neighbors in a VAE's latent space: `python examples/nearest_in_latent_space.py`."""

from pathlib import Path

import torch
from jsonargparse import auto_cli
from lightning import Trainer, seed_everything
from torchvision.utils import save_image

from lightning_gen import VAE, MNISTDataModule
from lightning_gen.types import to_images


def main(out: Path = Path("nearest.png"), rows: int = 8, k: int = 9, epochs: int = 10) -> None:
    """Train on the bundled digits, then find the k training digits with the nearest codes.

    Args:
        out: image file to write; each row has a test digit, inverted, and its neighbors.
        rows: number of test digits in the image.
        k: number of neighbors.
        epochs: number of epochs.
    """
    seed_everything(0)
    data = MNISTDataModule("12k")
    model = VAE(data.image_shape, latent_dim=20)
    trainer = Trainer(devices=1, max_epochs=epochs, logger=False, enable_checkpointing=False)
    trainer.fit(model, data)

    train, queries = to_images(data.train_set.pixels), to_images(data.test_set.pixels)
    distances = torch.cdist(model.encode(queries), model.encode(train))
    nearest = distances.topk(k, largest=False).indices  # (queries, k)
    same_class = data.train_set.labels[nearest] == data.test_set.labels[:, None]
    print(f"{same_class.float().mean():.1%} of the neighbors have the class of the query")

    table = torch.cat([-queries[:rows, None], train[nearest[:rows]]], 1)  # (rows, 1 + k, 1, 28, 28)
    save_image(table.flatten(0, 1), out, nrow=1 + k, normalize=True, value_range=(-1, 1))
    print(f"{rows} of {len(queries)} queries: {out}")


if __name__ == "__main__":
    auto_cli(main)
