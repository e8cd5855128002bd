"""Metrics of real and corrupted digits, as a reference for those of models.

`python scripts/measure_real_digits.py --root DIR` compares MNIST's test digits with training
digits, corrupted test digits, and incomplete sets. With --classifiers, it also computes the
classification accuracy score of real digits, which takes hours.
"""

import argparse
from functools import partial

import torch
from torch import Tensor

from lightning_gen import MNISTDataModule
from lightning_gen.inference.digit_metrics import Digits, distance_metrics
from lightning_gen.metrics import (
    classification_accuracy_score,
    load_digit_classifier,
    nearest_neighbour_error,
)
from lightning_gen.types import to_images

METRICS = ("frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage")
SIZE = 10_000  # digits in a set


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default="data", help="folder with MNIST/raw")
    parser.add_argument("--classifiers", type=int, default=0, help="number of seeds: 0, 1, ...")
    args = parser.parse_args()
    data = MNISTDataModule("full", root=args.root, val_split=0)
    data.setup("fit")
    train, test = (
        (to_images(part.pixels), part.labels) for part in (data.train_set, data.test_set)
    )

    classify = partial(Digits.classified_by, load_digit_classifier())
    reference = classify(test[0])
    accuracy = (reference.classes == test[1]).double().mean()
    print(f"The digit classifier has an accuracy of {accuracy:.2%} on the test digits.\n")
    print(f"| digits | against | {' | '.join(METRICS)} |\n|{'---|' * (2 + len(METRICS))}")
    for name, x in sets(train[0], *test).items():
        row(name, classify(x), "test", reference)
    first, second = (classify(x) for x in train[0].split(SIZE)[:2])
    row("training, others", second, "training", first)

    print("\n| trained on | 1-NN error | classification accuracy score |\n|---|---|---|")
    for n in (10_000, 50_000, 60_000):
        subset = train[0][:n], train[1][:n]
        scores = [
            f"{classification_accuracy_score(*subset, *test, seed=seed):.2%}"
            for seed in range(args.classifiers if n > SIZE else 0)
        ]
        error = nearest_neighbour_error(*subset, *test)
        print(f"| {n:,} real | {error:.2%} | {', '.join(scores) or '-'} |", flush=True)


def sets(train: Tensor, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return sets of digits by increasing distance from the test digits."""
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    return {
        "training": train[:SIZE],
        "training, all": train,
        "test in black and white": torch.where(x > 0, 1.0, -1.0),
        "test with noise of 0.1": (x + 0.2 * noise).clamp(-1, 1),
        "test without the nines": x[labels != 9],
        "test, ones alone": x[labels == 1],
        "the mean digit": x.mean(0, keepdim=True).expand(SIZE, -1, -1, -1),
        "noise": noise.clamp(-1, 1),
    }


def row(name: str, digits: Digits, against: str, reference: Digits) -> None:
    values = distance_metrics(digits, reference)
    cells = [f"{values[f'{name}(digits, {len(digits.x)})']:.4f}" for metric in METRICS]
    print(f"| {len(digits.x):,} {name} | {against} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
