"""Build the bundled digits from MNIST: `python scripts/build_mnist_12k.py --root data`.

Selects 10,000 training digits and 2,000 test digits at random, keeps their order, and compresses
them by LZMA. Prints the checksum for mnist.py.
"""

import argparse
import hashlib
import io
import zipfile

import numpy as np
from torchvision.datasets import MNIST

from lightning_gen.datamodules.mnist import BUNDLE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default="data", help="folder with MNIST/raw")
    parser.add_argument("--out", default=BUNDLE)
    args = parser.parse_args()

    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 10_000), ("test", 2_000)):
        digits = MNIST(args.root, train=split == "train")
        index = np.sort(rng.choice(len(digits), count, replace=False))
        arrays[f"{split}_digits"] = digits.data.numpy()[index]
        arrays[f"{split}_labels"] = digits.targets.numpy()[index].astype(np.uint8)

    with zipfile.ZipFile(args.out, "w", zipfile.ZIP_LZMA) as file:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            entry = zipfile.ZipInfo(f"{name}.npy")  # without a date, for reproducible bytes
            file.writestr(entry, buffer.getvalue(), zipfile.ZIP_LZMA)
    with open(args.out, "rb") as file:
        print(args.out, hashlib.sha256(file.read()).hexdigest())


if __name__ == "__main__":
    main()
