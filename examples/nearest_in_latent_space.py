"""What a VAE finds alike: `python examples/nearest_in_latent_space.py`."""

from pathlib import Path

import torch
from jsonargparse import auto_cli
from lightning import Trainer, seed_everything
from torchvision.utils import save_image

from lightning_gen import VAE, MNISTDataModule
from lightning_gen.types import to_images


def main(out: Path = Path("nearest.png"), rows: int = 8, k: int = 9, epochs: int = 10) -> None:
    """Train on the bundled digits; find the k training digits whose codes are nearest.

    Args:
        out: the picture to write: in each row a test digit, inverted, then its neighbours.
        rows: test digits in the picture.
        k: neighbours of each.
        epochs: of the training.
    """
    seed_everything(0)
    data = MNISTDataModule("12k")
    model = VAE(data.image_shape, latent_dim=20)
    trainer = Trainer(devices=1, max_epochs=epochs, logger=False, enable_checkpointing=False)
    trainer.fit(model, data)

    known, queries = to_images(data.train_set.pixels), to_images(data.test_set.pixels)
    distances = torch.cdist(model.encode(queries), model.encode(known))
    nearest = distances.topk(k, largest=False).indices  # (queries, k)
    alike = data.train_set.labels[nearest] == data.test_set.labels[:, None]
    print(f"{alike.float().mean():.1%} of the neighbours are of the query's class")

    table = torch.cat([-queries[:rows, None], known[nearest[:rows]]], 1)  # (rows, 1 + k, 1, 28, 28)
    save_image(table.flatten(0, 1), out, nrow=1 + k, normalize=True, value_range=(-1, 1))
    print(f"{rows} of {len(queries)} queries: {out}")


if __name__ == "__main__":
    auto_cli(main)
