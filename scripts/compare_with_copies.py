"""How near translations are to the truth: `python scripts/compare_with_copies.py CHECKPOINT`.

Prints PSNR (dB), SSIM and L1 of the translations of held-out pictures, and of the pictures as they
are, the control that any translation must beat. PSNR is that of the mean squared error over all
pictures, since a single one that needs no translation, copied, has a PSNR without bound. The data
are those of the training, its test split; of CycleGAN's, pictures at the same place must be true
pairs.
"""

import argparse

import torch
from torchmetrics.image import PeakSignalNoiseRatio

from lightning_gen import CycleGAN, Pix2Pix
from lightning_gen.checkpoints import load_model, read_checkpoint
from lightning_gen.cli.sample import chosen_device
from lightning_gen.datamodules import PairedImageDataModule, UnpairedImageDataModule
from lightning_gen.errors import UserError
from lightning_gen.models.base.translation import PairedImageMetrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("--direction", choices=("AtoB", "BtoA"), help="of CycleGAN; AtoB")
    args = parser.parse_args()
    model = load_model(args.checkpoint).to(chosen_device())
    if not isinstance(model, Pix2Pix | CycleGAN):
        raise SystemExit(
            f"{args.checkpoint} holds {type(model).__name__}, which translates nothing"
        )
    direction = args.direction or next(iter(model.translators))
    settings = read_checkpoint(args.checkpoint).get("datamodule_hyper_parameters", {})
    cls = PairedImageDataModule if isinstance(model, Pix2Pix) else UnpairedImageDataModule
    try:
        data = cls(**settings)
    except TypeError as error:
        raise SystemExit(f"{args.checkpoint}: its data were no {cls.__name__}: {error}") from error
    except UserError as error:
        raise SystemExit(str(error)) from error
    data.setup("test")
    print(f"| {len(data.test_dataloader())} batches | PSNR | SSIM | L1 |\n|---|---|---|---|")
    for name, likeness in {
        "translated": PairedImageMetrics(),
        "copied": PairedImageMetrics(),
    }.items():
        psnr = PeakSignalNoiseRatio(data_range=2.0).to(model.device)
        likeness.to(model.device)
        l1 = []
        for batch in data.test_dataloader():
            a, b = (data.on_after_batch_transfer(batch, 0)[x].to(model.device) for x in "AB")
            source, truth = (a, b) if direction == "AtoB" else (b, a)
            seen = model.translate(source, direction) if name == "translated" else source
            l1 += [likeness(seen, truth)["l1"]] * len(a)
            psnr.update(seen, truth)
        print(
            f"| {name} | {psnr.compute():.2f} | {likeness.ssim.compute():.4f} "
            f"| {torch.stack(l1).mean():.4f} |"
        )


if __name__ == "__main__":
    main()
