"""Compare translations with the targets: `python scripts/compare_with_copies.py CHECKPOINT`.

Prints PSNR (dB), SSIM and L1 of translated test images and, as a baseline, of untranslated ones.
PSNR is computed from the mean squared error over all images, because it is infinite for a single
image that equals its target. The data module is that of the training; for CycleGAN, images of the
same index must be pairs.
"""

import argparse

import torch
from torchmetrics.image import PeakSignalNoiseRatio

from lightning_gen import CycleGAN, Pix2Pix
from lightning_gen.checkpoints import load_model, read_checkpoint
from lightning_gen.cli.sample import chosen_device
from lightning_gen.datamodules import PairedImageDataModule, UnpairedImageDataModule
from lightning_gen.errors import UserError
from lightning_gen.models.base.translation import paired_image_metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument(
        "--direction", choices=("AtoB", "BtoA"), help="for CycleGAN; AtoB by default"
    )
    args = parser.parse_args()
    model = load_model(args.checkpoint).to(chosen_device())
    if not isinstance(model, Pix2Pix | CycleGAN):
        raise SystemExit(
            f"{args.checkpoint} contains {type(model).__name__}, which does not translate"
        )
    direction = args.direction or next(iter(model.translators))
    settings = read_checkpoint(args.checkpoint).get("datamodule_hyper_parameters", {})
    cls = PairedImageDataModule if isinstance(model, Pix2Pix) else UnpairedImageDataModule
    try:
        data = cls(**settings)
    except TypeError as error:
        raise SystemExit(f"{args.checkpoint} was not trained on {cls.__name__}: {error}") from error
    except UserError as error:
        raise SystemExit(str(error)) from error
    data.setup("test")
    print(f"| {len(data.test_dataloader())} batches | PSNR | SSIM | L1 |\n|---|---|---|---|")
    for name in ("translated", "copied"):
        psnr = PeakSignalNoiseRatio(data_range=2.0).to(model.device)
        ssim, l1 = [], []
        for batch in data.test_dataloader():
            a, b = (data.on_after_batch_transfer(batch, 0)[x].to(model.device) for x in "AB")
            source, target = (a, b) if direction == "AtoB" else (b, a)
            output = model.translate(source, direction) if name == "translated" else source
            metrics = paired_image_metrics(output, target)
            ssim += [metrics["ssim"]] * len(a)
            l1 += [metrics["l1"]] * len(a)
            psnr.update(output, target)
        print(
            f"| {name} | {psnr.compute():.2f} | {torch.stack(ssim).mean():.4f} "
            f"| {torch.stack(l1).mean():.4f} |"
        )


if __name__ == "__main__":
    main()
