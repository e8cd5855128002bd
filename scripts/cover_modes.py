"""How many modes of a mixture a recipe finds, seed by seed: `python scripts/cover_modes.py ring`.

Trains a shipped recipe once for each seed and prints modes found, share of samples of high quality
and KL (nats) of 2,500 samples, as PacGAN's code counts them. Further flags go to `train.py fit`:
`--model.schedule constant --ema.halflife 0` is a plain GAN's training.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lightning_gen import GaussianMixtureDataModule
from lightning_gen.checkpoints import load_model
from lightning_gen.cli.main import main as train
from lightning_gen.metrics import ModeCoverage

SAMPLES = 2500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=("ring", "grid"))
    parser.add_argument("--seeds", type=int, default=10)
    args, flags = parser.parse_known_args()
    data = GaussianMixtureDataModule(args.recipe)
    print("| seed | modes | high quality | KL | s |\n|---|---|---|---|---|", flush=True)
    for seed in range(args.seeds):
        with TemporaryDirectory() as folder:
            start = time.perf_counter()
            where = ["--trainer.default_root_dir", folder, "--seed", str(seed)]
            if train(["fit", "--config", args.recipe, *where, *flags]):
                raise SystemExit(1)
            seconds = time.perf_counter() - start
            (checkpoint,) = Path(folder).rglob("last.ckpt")
            model: Any = load_model(checkpoint)
            x = model.sample(SAMPLES, seed=0)
        coverage = ModeCoverage(len(data.means))
        coverage.update(*data.mixture.nearest(x))
        found = {name: value.item() for name, value in coverage.compute().items()}
        print(
            f"| {seed} | {found['modes']:.0f} of {len(data.means)} | {found['high_quality']:.3f} "
            f"| {found['kl']:.3f} | {seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
