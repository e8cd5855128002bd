"""Step times of pix2pix and CycleGAN at 256 pixels: `python -m benchmarks.translation`.

U-Net 256 and ResNet-9, batches of one image, with the Trainer and by hand, timed alternately.
"""

import argparse
import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss, mse_loss
from torch.utils.data import DataLoader, StackDataset

from benchmarks.timing import by_hand, spread, through_trainer
from lightning_gen import CycleGAN, Pix2Pix
from lightning_gen.cli.messages import silence_warnings

Step = Callable[[Tensor, Tensor], None]
SIZE = 256


def adam(*networks: nn.Module) -> torch.optim.Adam:
    parameters = chain(*(network.parameters() for network in networks))
    return torch.optim.Adam(parameters, 2e-4, (0.5, 0.999), fused=True)


def pix2pix_by_hand(model: Pix2Pix) -> Step:
    """Return a function for a step of both players on the model's networks."""
    G, D = model.generator, model.discriminator
    opt_g, opt_d = adam(G), adam(D)

    def entropy(score: Tensor, target: float) -> Tensor:
        return binary_cross_entropy_with_logits(score, torch.full_like(score, target))

    def step(a: Tensor, b: Tensor) -> None:
        fake = G(a)
        fake_score, real_score = D(torch.cat([a, fake.detach()], 1)), D(torch.cat([a, b], 1))
        opt_d.zero_grad()
        ((entropy(fake_score, 0.0) + entropy(real_score, 1.0)) / 2).backward()
        opt_d.step()
        D.requires_grad_(False)
        loss = entropy(D(torch.cat([a, fake], 1)), 1.0) + 100 * l1_loss(fake, b)
        opt_g.zero_grad()
        loss.backward()
        opt_g.step()
        D.requires_grad_(True)

    return step


def cyclegan_by_hand(model: CycleGAN) -> Step:
    """Return a function for a step of G and F, and one of both discriminators."""
    G, F, D_A, D_B = (getattr(model, name) for name in model.networks)
    opt_g, opt_d = adam(G, F), adam(D_A, D_B)

    def square(score: Tensor, target: float) -> Tensor:
        return mse_loss(score, torch.full_like(score, target))

    def step(a: Tensor, b: Tensor) -> None:
        for D in (D_A, D_B):
            D.requires_grad_(False)
        fake_b, fake_a = G(a), F(b)
        loss = square(D_B(fake_b), 1.0) + square(D_A(fake_a), 1.0)
        loss = loss + 10 * (l1_loss(F(fake_b), a) + l1_loss(G(fake_a), b))
        loss = loss + 5 * (l1_loss(G(b), b) + l1_loss(F(a), a))
        opt_g.zero_grad()
        loss.backward()
        opt_g.step()
        opt_d.zero_grad()
        for D, x, fake in ((D_A, a, fake_a.detach()), (D_B, b, fake_b.detach())):
            D.requires_grad_(True)
            ((square(D(x), 1.0) + square(D(fake), 0.0)) / 2).backward()
        opt_d.step()

    return step


WORKS: dict[str, tuple[Callable[..., Any], Callable[[Any], Step], int]] = {
    "pix2pix, U-Net 256": (Pix2Pix, pix2pix_by_hand, 20),
    "CycleGAN, ResNet-9": (CycleGAN, cyclegan_by_hand, 4),
}


def batches(data: Iterable[Any]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield endless batches of both domains."""
    while True:
        for batch in data:
            yield batch["A"], batch["B"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=3, help="number of alternating timings")
    parser.add_argument("--only", default="", help="only rows with this word in their name")
    args = parser.parse_args()
    silence_warnings()
    warnings.simplefilter("ignore")
    a, b = torch.rand(2, 25, 3, SIZE, SIZE) * 2 - 1
    data = DataLoader(StackDataset(A=a, B=b), batch_size=1)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, batch 1, {SIZE} px\n")
    print("| work | Trainer, ms/step | by hand | ratio |\n|---|---|---|---|")
    for name, (cls, hand, steps) in WORKS.items():
        if args.only not in name:
            continue
        model, step = cls((3, SIZE, SIZE), schedule="constant"), hand(cls((3, SIZE, SIZE)))
        times: list[tuple[float, float]] = []
        for _ in range(args.slices):
            trained: Any = through_trainer(model, data, steps, "32-true")
            times.append((1000 * trained, 1000 * by_hand(step, batches(data), steps)))
        ours, limit = ([*column] for column in zip(*times, strict=True))
        ratios = [x / y for x, y in times]
        cells = [name, spread(ours, 0), spread(limit, 0), spread(ratios, 3)]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
