"""Train models in two processes and save the results; run by test_processes.py.

The last training ends with a NaN loss.
"""

import os
import sys
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer, seed_everything
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler, StackDataset, TensorDataset

from lightning_gen import GAN, CycleGAN, GeneratorEMA, Pix2Pix


class NoiseFromImages(GAN):
    """A GAN whose noise z depends only on the images, so it does not change with their batches.

    Two processes with half a batch each, or micro-batches, then have the z of the whole batch.
    """

    def unpack(self, batch: Any) -> Any:
        x, _ = super().unpack(batch)
        return x, (x.flatten(1)[:, : self.latent_dim],)

    def generate(self, n: int, *c: Tensor) -> Tensor:
        (z,) = c
        return self(z)

    def discriminate(self, x: Tensor, *c: Tensor) -> Tensor:
        return super().discriminate(x)


def train_gan(processes: int, out: Path, cls: type[GAN] = NoiseFromImages, **kwargs: Any) -> Any:
    """Train a GAN and return its weights, number of steps and validation metrics."""
    seed_everything(0, verbose=False)
    x = torch.rand(32, 1, 8, 8) * 2 - 1
    if kwargs.pop("nan", False):
        x[20] = float("nan")  # in the third batch of the epoch, in one process
    model = cls(
        (1, 8, 8),
        latent_dim=4,
        generator_hidden_dims=(16,),
        discriminator_hidden_dims=(16,),
        dropout=0.0,
        optimizer="sgd",
        lr=0.1,
        k=2,
        r1=0.5,
        r2=0.5,
        **kwargs,
    )
    trainer = make_trainer(processes, out, max_epochs=3, callbacks=[GeneratorEMA(halflife=50)])
    data = DataLoader(TensorDataset(x), batch_size=8 // processes, shuffle=False)
    noise: list[Tensor] = []
    latents = model.latents
    model.latents = lambda n: noise.append(latents(n)) or noise[-1]  # type: ignore[method-assign]
    trainer.fit(model, _distribute(data, processes), DataLoader(TensorDataset(x), batch_size=8))
    return {
        "weights": model.state_dict(),
        "steps": trainer.global_step,
        "noise": noise[0] if noise else None,
        "val": trainer.callback_metrics["val/d/real_score"],
    }


def train_translation(out: Path) -> dict[str, Any]:
    """Train CycleGAN and pix2pix in two processes.

    Returns:
        Weights of both, the pools of CycleGAN, and the pools that its checkpoint restores.
    """
    seed_everything(0, verbose=False)
    a, b = torch.rand(2, 8, 3, 16, 16) * 2 - 1
    small: dict[str, Any] = {"image_shape": (3, 16, 16), "base_channels": 2, "num_layers": 1}
    result: dict[str, Any] = {}
    for model in (CycleGAN(num_blocks=1, pool_size=2, **small), Pix2Pix(num_downs=3, **small)):
        trainer = make_trainer(2, out, max_epochs=1)
        data = DataLoader(StackDataset(A=a, B=b), batch_size=2)
        trainer.fit(model, _distribute(data, 2))
        result[type(model).__name__] = model.state_dict()
        if isinstance(model, CycleGAN):
            result["pools"] = [torch.stack(pool.images) for pool in model.pools]
            trainer.save_checkpoint(out / "last.ckpt")
            model.pools[0].images, model.pools[1].images = [], []
            model.on_load_checkpoint(torch.load(out / "last.ckpt", weights_only=True))
            result["restored"] = [torch.stack(pool.images) for pool in model.pools]
    return result


def make_trainer(processes: int, out: Path, **kwargs: Any) -> Trainer:
    return Trainer(
        accelerator="cpu",
        devices=processes,
        strategy="ddp_find_unused_parameters_true" if processes > 1 else "auto",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=out,
        log_every_n_steps=1,
        **kwargs,
    )


def _distribute(data: DataLoader, processes: int) -> DataLoader:
    """Distribute images in order; the sampler that Lightning adds would shuffle them."""
    if processes == 1:
        return data
    rank = int(os.environ.get("LOCAL_RANK", 0))
    sampler = DistributedSampler(data.dataset, processes, rank, shuffle=False)
    return DataLoader(data.dataset, batch_size=data.batch_size, sampler=sampler)


def main(out: Path) -> None:
    micro: dict[str, Any] = {"micro_batch_size": 3}
    result = {
        "GAN": train_gan(2, out),
        "spectral_norm": train_gan(2, out, spectral_norm=True),
        "micro_batches": train_gan(2, out, **micro),
        "micro_batches_spectral_norm": train_gan(2, out, spectral_norm=True, **micro),
        "noise": train_gan(2, out, GAN)["noise"],
        **train_translation(out),
    }
    torch.save(result, out / f"{os.environ.get('LOCAL_RANK', 0)}.pt")
    train_gan(2, out, GAN, nan=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
