"""Step times with the Trainer and in a plain loop with the same networks and losses.

Both are timed alternately, so that changes of the machine's speed affect both. Prints a table of
medians and ranges, and writes JSON with `--json`.
"""

import argparse
import json
import platform
import resource
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from benchmarks import networks
from benchmarks.timing import by_hand, by_script, first_steps, spread, through_trainer
from lightning_gen import DCGAN, GAN, VAE, MNISTDataModule
from lightning_gen.cli.messages import silence_warnings
from lightning_gen.types import to_images

Pair = tuple[nn.Module, nn.Module]


@dataclass(frozen=True)
class Work:
    """A row of the table: model, networks, image size, steps per slice.

    `script` is the public script with the same networks and losses; its players share the fakes.
    """

    model: Callable[..., Any]
    networks: Callable[[], Pair]
    size: int
    steps: int
    script: str = ""


def works() -> dict[str, Work]:
    """Return the rows of the table by name."""
    ours = DCGAN((1, 32, 32))
    return {
        "GAN, script's": Work(gan(GAN, share_fakes=True), networks.gan, 28, 300, script="gan"),
        "DCGAN, script's": Work(
            gan(DCGAN, share_fakes=True), networks.dcgan, 32, 15, script="dcgan"
        ),
        "DCGAN, our defaults": Work(
            gan(DCGAN), lambda: (deepcopy(ours.generator), deepcopy(ours.discriminator)), 32, 15
        ),
        "VAE, 784-512-16": Work(vae, networks.vae, 28, 500),
    }


def gan(cls: type[Any], **settings: Any) -> Callable[..., Any]:
    """Return a constructor of a GAN."""
    return lambda shape, G, D: cls(shape, generator=G, discriminator=D, **settings)


def vae(shape: tuple[int, int, int], encoder: nn.Module, decoder: nn.Module) -> VAE:
    """Return a VAE without binarization, as usual in benchmarks."""
    return VAE(shape, 16, binarization="none", encoder=encoder, decoder=decoder)


def batches(pixels: Tensor) -> Iterator[tuple[Tensor]]:
    """Yield endless batches of images from a tensor in memory."""
    while True:
        for index in torch.randperm(len(pixels)).split(64)[:-1]:
            yield (to_images(pixels.index_select(0, index)),)


def gan_by_hand(players: Pair, precision: str, *, share_fakes: bool) -> Callable[[Tensor], None]:
    """Return a function for a step of both players."""
    G, D = players
    opt_g, opt_d = (
        torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999), fused=True) for net in players
    )
    cast = _autocast(precision)

    def step(x: Tensor) -> None:
        with cast:
            with torch.set_grad_enabled(share_fakes):
                fake = G(torch.randn(len(x), 100))
            real_score, fake_score = D(x).float(), D(fake.detach()).float()
        opt_d.zero_grad()
        (softplus(-real_score).mean() + softplus(fake_score).mean()).backward()
        opt_d.step()
        D.requires_grad_(False)
        with cast:
            score = D(fake if share_fakes else G(torch.randn(len(x), 100))).float()
        opt_g.zero_grad()
        softplus(-score).mean().backward()
        opt_g.step()
        D.requires_grad_(True)

    return step


def vae_by_hand(networks: Pair, precision: str) -> Callable[[Tensor], None]:
    """Return a function for a step on the ELBO."""
    E, D = networks
    optimizer = torch.optim.Adam([*E.parameters(), *D.parameters()], 1e-3, fused=True)
    cast = _autocast(precision)

    def step(x: Tensor) -> None:
        with cast:
            mean, log_variance = E(x).float().chunk(2, 1)
            logits = D(mean + (log_variance / 2).exp() * torch.randn_like(mean)).float()
        cross_entropy = binary_cross_entropy_with_logits(logits, (x + 1) / 2, reduction="sum")
        kl = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2
        optimizer.zero_grad()
        ((cross_entropy + kl) / len(x)).backward()
        optimizer.step()

    return step


def _autocast(precision: str) -> Any:
    return torch.autocast("cpu", torch.bfloat16) if "bf16" in precision else nullcontext()


def images_per_second(seconds: float = 3.0) -> float:
    """Return the speed of data loading alone, in one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    data = MNISTDataModule("12k", val_split=0.0)
    data.setup("fit")
    images, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for batch in data.train_dataloader():
            x, _ = data.on_after_batch_transfer(batch, 0)
            images += len(x)
    torch.set_num_threads(threads)
    return images / (time.perf_counter() - start)


def compare(
    name: str, work: Work, slices: int, precision: str, scripts: Path | None
) -> dict[str, Any]:
    """Return step times with the Trainer, by hand and of the script, and their ratios."""
    data = MNISTDataModule("12k", image_size=work.size)  # type: ignore[arg-type]
    data.setup("fit")
    pair, hand = work.networks(), work.networks()
    if "DCGAN" in name:
        for network in (*pair, *hand):
            network.to(memory_format=torch.channels_last)
    model = work.model((1, work.size, work.size), *pair)
    step = (
        vae_by_hand(hand, precision)
        if "VAE" in name
        else gan_by_hand(hand, precision, share_fakes=model.share_fakes)
    )
    times: dict[str, list[float]] = {"trainer": [], "by_hand": [], "script": []}
    for _ in range(slices):
        times["trainer"].append(through_trainer(model, data, work.steps, precision))
        times["by_hand"].append(by_hand(step, batches(data.train_set.pixels), work.steps))
        if scripts and work.script:
            script = scripts / work.script / f"{work.script}.py"
            times["script"].append(by_script(script, work.steps))
    return {
        "work": name,
        "precision": precision,
        **{f"{way}_ms": [1000 * t for t in seconds] for way, seconds in times.items()},
        "ratio": [a / b for a, b in zip(times["trainer"], times["by_hand"], strict=True)],
        "speedup": [b / a for a, b in zip(times["trainer"], times["script"], strict=False)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=7, help="number of alternating timings")
    parser.add_argument(
        "--scripts", type=Path, help="folder PyTorch-GAN/implementations, to time its scripts"
    )
    parser.add_argument("--only", default="", help="only rows with this word in their name")
    parser.add_argument("--json", type=Path, help="file for the results")
    args = parser.parse_args()
    silence_warnings()
    warnings.simplefilter("ignore")

    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, ", end="")
    print(f"{torch.get_num_threads()} threads, batch 64, {args.slices} slices\n")
    print("| work | precision | Trainer, ms/step | by hand | ratio | script | script / Trainer |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for name, work in works().items():
        if args.only not in name:
            continue
        for precision in ("32-true", "bf16-mixed"):
            row = compare(name, work, args.slices, precision, args.scripts)
            digits = {"trainer_ms": 1, "by_hand_ms": 1, "ratio": 3, "script_ms": 1, "speedup": 2}
            cells = [spread(row[column], decimals) for column, decimals in digits.items()]
            print(f"| {name} | {precision} | {' | '.join(cells)} |", flush=True)
            rows.append(row)
    speed = images_per_second()
    print(f"\nMNIST batches from memory, one thread: {speed:,.0f} images/s")
    first = statistics.median(first_steps)
    print(f"From Trainer.fit to the start of the second step: {first:.2f} s")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"Peak memory of this process: {memory:,.0f} MiB")
    if args.json:
        results = {
            "steps": rows,
            "images_per_second": speed,
            "first_step_seconds": first,
            "memory_mib": memory,
        }
        args.json.write_text(json.dumps({"torch": torch.__version__, **results}, indent=2))


if __name__ == "__main__":
    main()
