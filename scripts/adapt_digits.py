"""Domain adaptation: `python scripts/adapt_digits.py CHECKPOINT --root mnist2usps`.

Trains a classifier on the labeled images of `root/trainA` (lower bound), on their translations, and
on `root/trainB` (upper bound), and prints each accuracy on `root/testB`. File names begin with the
label: 7_00123.png.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from lightning_gen.checkpoints import load_model
from lightning_gen.images.reading import files_below, read_image
from lightning_gen.metrics import classification_accuracy_score
from lightning_gen.protocols import Translates
from lightning_gen.types import Images, to_images, to_pixels

CHUNK = 500  # images translated at once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("--root", default="data/mnist2usps")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=10)
    args = parser.parse_args()
    model = load_model(args.checkpoint)
    if not isinstance(model, Translates):
        raise SystemExit(
            f"{args.checkpoint} contains {type(model).__name__}, which does not translate"
        )
    (a, labels_a), (b, labels_b), test = (
        digits(Path(args.root) / part) for part in ("trainA", "trainB", "testB")
    )
    with torch.no_grad():
        translated = torch.cat([model.translate(chunk, "AtoB") for chunk in a.split(CHUNK)])
    training_sets = {
        "source": (a, labels_a),
        "translated": (to_images(to_pixels(translated)), labels_a),
        "target": (b, labels_b),
    }
    print("| trained on | accuracy |\n|---|---|")
    for name, (x, labels) in training_sets.items():
        scores = [
            classification_accuracy_score(x, labels, *test, epochs=args.epochs, seed=seed)
            for seed in range(args.seeds)
        ]
        print(f"| {name} | {', '.join(f'{score:.2%}' for score in scores)} |", flush=True)


def digits(folder: Path) -> tuple[Images, Tensor]:
    """Return the digits of a folder (n, 1, h, w) in random order, and their labels (n,)."""
    paths = list(map(Path, files_below(folder)))
    order = torch.randperm(len(paths), generator=torch.Generator().manual_seed(0)).tolist()
    x = torch.stack([torch.tensor(read_image(paths[i], 1)) for i in order])
    return to_images(x), torch.tensor([int(paths[i].name.split("_")[0]) for i in order])


if __name__ == "__main__":
    main()
