"""Time t-SNE of MNIST's test digits: `python scripts/map_digits.py --root DIR`."""

import argparse
import time

from lightning_gen import MNISTDataModule
from lightning_gen.callbacks.projection import knn_accuracy, project, trustworthiness
from lightning_gen.types import to_images, to_unit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default="data", help="folder with MNIST/raw")
    parser.add_argument("--n", type=int, nargs="+", default=[2000, 10_000])
    args = parser.parse_args()
    data = MNISTDataModule("full", root=args.root)
    data.setup("test")
    points = to_unit(to_images(data.test_set.pixels)).flatten(1).numpy()
    labels = data.test_set.labels.numpy()
    print("| digits | s | trustworthiness | 10-NN accuracy |\n|---|---|---|---|")
    for n in args.n:
        start = time.perf_counter()
        embedded = project(points[:n])
        seconds = time.perf_counter() - start
        trust, accuracy = trustworthiness(points[:n], embedded), knn_accuracy(embedded, labels[:n])
        print(f"| {n:,} | {seconds:.1f} | {trust:.3f} | {accuracy:.3f} |", flush=True)


if __name__ == "__main__":
    main()
