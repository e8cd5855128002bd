"""Trains models in some processes and leaves what each of them came to; run by test_processes.py.

The noise is made from the images, so that two processes with half a batch each draw what one with
the whole batch does.
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


class Reproducible(GAN):
    def split(self, batch: Any) -> Any:
        x, c = super().split(batch)
        self.z = x.flatten(1)[:, :4]
        return x, c

    def latents(self, n: int) -> Tensor:
        return self.z


def play(processes: int, out: Path, own_noise: bool = False, poison: bool = False) -> Any:
    """Train a GAN; what it came to."""
    seed_everything(0, verbose=False)
    x = torch.rand(32, 1, 8, 8) * 2 - 1
    if poison:
        x[20] = float("nan")  # one process meets it first, in the third batch of the epoch
    cls = GAN if own_noise else Reproducible
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
    )
    trainer = make_trainer(processes, out, max_epochs=3, callbacks=[GeneratorEMA(halflife=50)])
    data = DataLoader(TensorDataset(x), batch_size=8 // processes, shuffle=False)
    noise = []
    if own_noise:
        draw = model.latents
        model.latents = lambda n: noise.append(draw(n)) or noise[-1]
    trainer.fit(model, _shared(data, processes), DataLoader(TensorDataset(x), batch_size=8))
    return {
        "weights": model.state_dict(),
        "steps": trainer.global_step,
        "noise": noise[0] if noise else None,
        "val": trainer.callback_metrics["val/d/real_score"],
    }


def translations(out: Path) -> dict[str, Any]:
    """Two processes: what CycleGAN's pools and the weights are, and the pools from a checkpoint."""
    seed_everything(0, verbose=False)
    a, b = torch.rand(2, 8, 3, 16, 16) * 2 - 1
    small: dict[str, Any] = {"image_shape": (3, 16, 16), "base_channels": 2, "num_layers": 1}
    result: dict[str, Any] = {}
    for model in (CycleGAN(num_blocks=1, pool_size=2, **small), Pix2Pix(num_downs=3, **small)):
        trainer = make_trainer(2, out, max_epochs=1)
        data = DataLoader(StackDataset(A=a, B=b), batch_size=2)
        trainer.fit(model, _shared(data, 2))
        result[type(model).__name__] = model.state_dict()
        if isinstance(model, CycleGAN):
            result["pools"] = [torch.stack(pool.images) for pool in model.pools]
            trainer.save_checkpoint(out / "last.ckpt")
            model.pools[0].images, model.pools[1].images = [], []
            model.on_load_checkpoint(torch.load(out / "last.ckpt", weights_only=True))
            result["restored"] = [torch.stack(pool.images) for pool in model.pools]
    return result


def make_trainer(processes: int, out: Path, **flags: Any) -> Trainer:
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
        **flags,
    )


def _shared(data: DataLoader, processes: int) -> DataLoader:
    """In order: Lightning's own sampler would shuffle."""
    if processes == 1:
        return data
    rank = int(os.environ.get("LOCAL_RANK", 0))
    sampler = DistributedSampler(data.dataset, processes, rank, shuffle=False)
    return DataLoader(data.dataset, batch_size=data.batch_size, sampler=sampler)


def main(processes: int, out: Path, poison: bool) -> None:
    if poison:
        play(processes, out, own_noise=True, poison=True)
    result = {"GAN": play(processes, out)}
    if processes > 1:
        result["noise"] = play(processes, out, own_noise=True)["noise"]
        result |= translations(out)
    torch.save(result, out / f"{processes}-{os.environ.get('LOCAL_RANK', 0)}.pt")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), "poison" in sys.argv)
