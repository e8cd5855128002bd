"""Mode coverage of a recipe for several seeds: `python scripts/cover_modes.py ring`.

Trains a shipped recipe with each seed and prints modes found, share of high-quality samples and KL
(nats) of 2,500 samples, as in PacGAN's code. Further flags are passed to `train.py fit`, such as
`--model.schedule constant --ema.halflife 0` for a plain GAN.
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
            flags_of_run = ["--trainer.default_root_dir", folder, "--seed", str(seed)]
            if train(["fit", "--config", args.recipe, *flags_of_run, *flags]):
                raise SystemExit(1)
            seconds = time.perf_counter() - start
            (checkpoint,) = Path(folder).rglob("last.ckpt")
            model: Any = load_model(checkpoint)
            x = model.sample(SAMPLES, seed=0)
        coverage = ModeCoverage(len(data.means))
        coverage.update(*data.mixture.nearest(x))
        values = {name: value.item() for name, value in coverage.compute().items()}
        print(
            f"| {seed} | {values['modes']:.0f} of {len(data.means)} | {values['high_quality']:.3f} "
            f"| {values['kl']:.3f} | {seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
