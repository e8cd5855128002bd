"""What real and spoilt digits score, to read the figures of models by.

`python scripts/measure_real_digits.py --root DIR` compares MNIST's test digits with training
digits, with spoilt test digits, and with sets that lack something; --classifiers trains on real
digits, too, which takes the hours of as many models.
"""

import argparse
from functools import partial

import torch
from torch import Tensor

from lightning_gen import MNISTDataModule
from lightning_gen.inference.digit_metrics import Digits, distance_figures
from lightning_gen.metrics import (
    classification_accuracy_score,
    load_digit_classifier,
    nearest_neighbour_error,
)
from lightning_gen.types import to_images

SHOWN = ("frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage")
HALF = 10_000  # digits of a set that is compared


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default="data", help="folder that holds MNIST/raw")
    parser.add_argument("--classifiers", type=int, default=0, help="how many, of seeds 0, 1, ...")
    args = parser.parse_args()
    data = MNISTDataModule("full", root=args.root, val_split=0)
    data.setup("fit")
    train, test = (
        (to_images(part.pixels), part.labels) for part in (data.train_set, data.test_set)
    )

    see = partial(Digits.seen_by, load_digit_classifier())
    reference = see(test[0])
    right = (reference.classes == test[1]).double().mean()
    print(f"The judge is right about {right:.2%} of the test digits.\n")
    print(f"| digits | against | {' | '.join(SHOWN)} |\n|{'---|' * (2 + len(SHOWN))}")
    for name, x in sets(train[0], *test).items():
        row(name, see(x), "test", reference)
    first, second = (see(x) for x in train[0].split(HALF)[:2])
    row("training, others", second, "training", first)

    print("\n| trained on | 1-NN error | classification accuracy score |\n|---|---|---|")
    for n in (10_000, 50_000, 60_000):
        subset = train[0][:n], train[1][:n]
        scores = [
            f"{classification_accuracy_score(*subset, *test, seed=seed):.2%}"
            for seed in range(args.classifiers if n > HALF else 0)
        ]
        error = nearest_neighbour_error(*subset, *test)
        print(f"| {n:,} real | {error:.2%} | {', '.join(scores) or '-'} |", flush=True)


def sets(train: Tensor, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Digits of increasing strangeness."""
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    return {
        "training": train[:HALF],
        "training, all": train,
        "test in black and white": torch.where(x > 0, 1.0, -1.0),
        "test with noise of 0.1": (x + 0.2 * noise).clamp(-1, 1),
        "test without the nines": x[labels != 9],
        "test, ones alone": x[labels == 1],
        "the mean digit": x.mean(0, keepdim=True).expand(HALF, -1, -1, -1),
        "noise": noise.clamp(-1, 1),
    }


def row(name: str, digits: Digits, against: str, reference: Digits) -> None:
    figures = distance_figures(digits, reference)
    cells = [f"{figures[f'{shown}(digits, {len(digits.x)})']:.4f}" for shown in SHOWN]
    print(f"| {len(digits.x):,} {name} | {against} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
