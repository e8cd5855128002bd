"""Compare codes of autoencoders by Jacobian norm and linear probe.

`python scripts/compare_codes.py --root DIR` trains a plain, a denoising and a contractive
autoencoder of the same networks (a sigmoid layer, a linear layer, cross-entropy) on MNIST, and
prints the mean ||dh/dx||_F on test images and the accuracy of logistic regression on codes.
"""

import argparse
import time
from typing import Any

import torch
from lightning import LightningModule, Trainer, seed_everything
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from lightning_gen import (
    Autoencoder,
    ContractiveAutoencoder,
    DenoisingAutoencoder,
    MNISTDataModule,
)
from lightning_gen.datamodules.base import TensorImages
from lightning_gen.networks import SigmoidEncoder, TransposedDecoder
from lightning_gen.types import to_images

SHAPE = (1, 28, 28)
PROBED = 10_000  # training images for the probe
DIFFERENTIATED = 1000  # test images for the Jacobian


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default="data", help="folder with MNIST/raw")
    parser.add_argument("--subset", default="full", choices=("full", "12k"))
    parser.add_argument("--units", type=int, default=120, help="dimension of the codes")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    data = MNISTDataModule(args.subset, root=args.root, batch_size=100)
    data.setup("fit")
    print("| model | mean Jacobian norm | linear probe, test accuracy | s |\n|---|---|---|---|")
    noise = {"noise": "masking", "noise_factor": 0.25}
    for cls in (Autoencoder, DenoisingAutoencoder, ContractiveAutoencoder):
        seed_everything(args.seed, verbose=False)
        settings: dict[str, Any] = {"loss": "bce", "weight_decay": 0.0, "mixture_components": 0}
        if cls is not ContractiveAutoencoder:  # its default networks
            E = SigmoidEncoder(SHAPE, args.units)
            settings |= {"encoder": E, "decoder": TransposedDecoder(E, SHAPE)}
        settings |= noise if cls is DenoisingAutoencoder else {}
        model: Any = cls(SHAPE, latent_dim=args.units, **settings)
        start = time.perf_counter()
        fit(model, data, args.epochs)
        seconds = time.perf_counter() - start
        test = to_images(data.test_set.pixels)
        norm = torch.cat([model.jacobian_norm(x) for x in test[:DIFFERENTIATED].split(50)]).mean()
        print(
            f"| {cls.__name__} | {norm:.3f} | {probe(model, data):.4f} | {seconds:.0f} |",
            flush=True,
        )


def fit(model: LightningModule, data: MNISTDataModule, epochs: int) -> None:
    """Train without logging, validation or checkpoints."""
    Trainer(
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    ).fit(model, data)


def probe(model: Any, data: MNISTDataModule) -> float:
    """Return the test accuracy of logistic regression on codes."""

    def codes(images: TensorImages) -> Tensor:
        return torch.cat([model.encode(to_images(pixels)) for pixels in images.pixels.split(1000)])

    train = data.train_set.subset(torch.arange(min(PROBED, len(data.train_set))))
    mean, scale = codes(train).mean(0), codes(train).std(0) + 1e-6
    classifier = LogisticRegression(max_iter=1000)
    classifier.fit((codes(train) - mean) / scale, train.labels)
    return float(classifier.score((codes(data.test_set) - mean) / scale, data.test_set.labels))


if __name__ == "__main__":
    main()
