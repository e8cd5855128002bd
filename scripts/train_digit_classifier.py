"""Train the bundled digit classifier: `python scripts/train_digit_classifier.py`.

The last 5,000 of MNIST's training digits are held out for choosing settings; the test digits are
only used at the end. Writes averaged weights in half precision, with the command, accuracies and
the version of torch as metadata, and prints the checksum for digits.py.
"""

import argparse
import hashlib
import json
import time
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchvision.datasets import MNIST
from torchvision.transforms import v2

from lightning_gen.files import atomic_write
from lightning_gen.metrics.digits import WEIGHTS, DigitClassifier
from lightning_gen.types import to_images

HELD_OUT = 5000
BATCH = 128
GROUP = 8  # images of a batch with the same augmentation
AUGMENT = v2.RandomAffine(
    degrees=10, translate=(0.08, 0.08), scale=(0.9, 1.1), shear=8, fill=-1,
    interpolation=v2.InterpolationMode.BILINEAR,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default="data", help="folder with MNIST/raw")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    start = time.perf_counter()
    (x, labels), test = (read(args.root, train) for train in (True, False))
    train, held_out = (x[:-HELD_OUT], labels[:-HELD_OUT]), (x[-HELD_OUT:], labels[-HELD_OUT:])
    classifier = fit(*train, held_out, args.epochs, args.lr)
    standardize(classifier, train[0])
    seconds = time.perf_counter() - start

    state = {
        k: v.half() if v.is_floating_point() else v for k, v in classifier.state_dict().items()
    }
    classifier.load_state_dict(state)  # evaluate the rounded weights
    facts = {
        "command": f"scripts/train_digit_classifier.py --epochs {args.epochs} --lr {args.lr} "
        f"--seed {args.seed}",
        "data": f"MNIST, the first {len(train[0])} training digits",
        "accuracy_held_out": round(accuracy(classifier, *held_out), 4),
        "accuracy_test": round(accuracy(classifier, *test), 4),
        "torch": torch.__version__,
    }
    with atomic_write(args.out) as part:
        # a single entry, for reproducible bytes
        save_file(state, part, {"training": json.dumps(facts)})
    for key, value in facts.items():
        print(f"{key}: {value}")
    content = args.out.read_bytes()
    print(f"{args.out}: {len(content):,} bytes after {seconds:.0f} s")
    print(f"sha256: {hashlib.sha256(content).hexdigest()}")


def read(root: str, train: bool) -> tuple[Tensor, Tensor]:
    digits = MNIST(root, train=train)
    return to_images(digits.data.unsqueeze(1)), digits.targets


def fit(
    x: Tensor, labels: Tensor, held_out: tuple[Tensor, Tensor], epochs: int, lr: float
) -> DigitClassifier:
    """Train by AdamW on augmented digits with one learning-rate cycle; return averaged weights."""
    model = DigitClassifier()
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.998), use_buffers=True)
    averaged = cast(DigitClassifier, average.module)
    optimizer = torch.optim.AdamW(model.parameters(), lr, weight_decay=0.02)
    steps = epochs * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, steps, pct_start=0.2)
    for epoch in range(epochs):
        order = torch.randperm(len(x))
        for index in order[: len(x) // BATCH * BATCH].split(BATCH):
            augmented = torch.cat([AUGMENT(group) for group in x[index].split(GROUP)])
            loss = cross_entropy(model(augmented), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            average.update_parameters(model)
        held_out_accuracy = accuracy(averaged, *held_out)
        print(f"epoch {epoch + 1}: held-out accuracy {held_out_accuracy:.4f}", flush=True)
    return averaged


@torch.no_grad()
def standardize(classifier: DigitClassifier, x: Tensor) -> None:
    """Scale features to a mean square of 1, as kernels expect, without changing the logits."""
    classifier.eval()
    features = torch.cat([classifier.features(images) for images in x.split(500)])
    scale = features.square().mean().sqrt()
    layer = cast(torch.nn.Linear, classifier.extractor[-2])
    layer.weight.div_(scale)
    layer.bias.div_(scale)
    classifier.last.weight.mul_(scale)


@torch.no_grad()
def accuracy(model: DigitClassifier, x: Tensor, labels: Tensor) -> float:
    training = model.training
    model.eval()
    correct = torch.cat([model.classify(images) for images in x.split(500)]) == labels
    model.train(training)
    return correct.double().mean().item()


if __name__ == "__main__":
    main()
