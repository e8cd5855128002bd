"""Data of two domains: pairs stay aligned, and the seed determines what is random."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from lightning import LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from tests.conftest import one_of_two, picture
from tests.test_image_folder import SAME
from tests.two_domains import (  # noqa: F401 -- fixtures
    LAYOUTS,
    MODULES,
    _domains,
    _make,
    _root,
    epoch,
    lay_out,
    paired,
    unpaired,
    write,
    write_pair,
)

# Layouts


@pytest.mark.parametrize("key", LAYOUTS)
def test_layouts_hold_the_same_pairs(key: str, tmp_path: Path) -> None:
    lay_out(tmp_path / "two", LAYOUTS[key])
    for k, split in enumerate(("train", "val", "test")):
        for number in range(3 * k, 3 * k + 3):
            write_pair(number, tmp_path / "one" / split / "deep" / f"{number}.png")
    a, b = (paired(tmp_path / name, batch_size=3) for name in ("two", "one"))
    for part in ("train_set", "val_set", "test_set"):
        x, y = (getattr(data, part)[torch.arange(3)] for data in (a, b))
        assert all(torch.equal(x[side], y[side]) for side in "AB"), part
    c = unpaired(tmp_path / "two", serial=True, batch_size=3)
    assert torch.equal(c.train_set[torch.arange(3)]["B"], b.train_set[torch.arange(3)]["B"])


@pytest.mark.parametrize("module", MODULES)
def test_plain_folders_of_a_and_b_are_training_pictures(module: str, tmp_path: Path) -> None:
    lay_out(tmp_path, "{side}/{name}")
    data = MODULES[module](tmp_path, batch_size=1, val_split=2)
    assert (len(data.train_set), len(data.val_set), len(data.test_set)) == (7, 2, 2)
    assert data.val_set is data.test_set


def test_validation_images_without_a_folder(tmp_path: Path) -> None:
    def sizes(**kwargs: Any) -> tuple[int, ...]:
        data = unpaired(tmp_path, **kwargs)
        return tuple(len(getattr(data, f"{part}_set")) for part in ("train", "val", "test"))

    for number in range(20):
        write(picture(number), tmp_path / "trainA" / f"{number}.png")
        write(picture(number), tmp_path / "trainB" / f"{number}.png")
    assert sizes() == (20 - 2, 2, 2)
    assert sizes(val_split=0.25) == (15, 5, 5)
    lay_out(tmp_path, LAYOUTS["trainA trainB"], ("test",))
    assert sizes() == (20, 3, 3)
    assert sizes(val_split=0.25) == (15, 5, 3)
    assert sizes(val_split=0) == (20, 0, 3)
    assert sizes(val_split=0.01) == (19, 1, 3)
    write(picture(30), tmp_path / "valA" / "a.png")
    write(picture(30), tmp_path / "valB" / "a.png")
    assert sizes(val_split=0.25) == (20, 1, 3)


def test_pairs_are_held_out_together(tmp_path: Path) -> None:
    lay_out(tmp_path, "{side}/{name}")
    data = paired(tmp_path, batch_size=1, val_split=4)
    for part, n in (("train_set", 5), ("val_set", 4)):
        x = getattr(data, part)[torch.arange(n)]
        assert (x["A"].int() + x["B"] - 255).abs().max() <= 1


# Crops and flips


def test_pairs_stay_aligned(root: Path) -> None:
    data = paired(root, load_size=40)
    a, b = torch.cat([epoch(data, k) for k in range(3)], 1).int()
    assert (a + b - 255).abs().max() <= 1  # B is A's inverse; resizing rounds each
    middles = data.train_set[torch.arange(20)]["A"]
    assert not any(torch.equal(x.byte(), y) for x in a for y in middles)


def test_crops_and_flips_are_uniform_in_both_directions(tmp_path: Path) -> None:
    ramp = np.arange(18 * 17, dtype=np.uint16).reshape(17, 18)
    tifffile.imwrite(tmp_path / "a.tif", np.concatenate([ramp, ramp + 9999], 1))
    (tmp_path / "train").mkdir()
    (tmp_path / "a.tif").rename(tmp_path / "train" / "a.tif")
    data = paired(tmp_path, preprocess="crop", batch_size=1, val_split=0)
    order, counts = data.train_dataloader().sampler, Counter[tuple[int, ...]]()
    for k in range(1200):
        order.set_epoch(k)
        batch = data.train_set[next(iter(order))]
        assert ((batch["B"].int() - batch["A"].int()) == 9999).all()
        counts[tuple(batch["A"][0, 0, 0, [0, -1]].tolist())] += 1
    corners = [(18 * top + left, 18 * top + left + 15) for top in range(2) for left in range(3)]
    assert set(counts) == {*corners, *(corner[::-1] for corner in corners)}
    assert all(abs(n - 100) < 45 for n in counts.values())  # more than four standard deviations


def test_flips_come_from_a_flag_of_their_own(make: Callable[..., Any]) -> None:
    plain, flipped = epoch(make(flip=False)), epoch(make())
    kept = (plain == flipped).flatten(2).all(2)
    assert torch.equal(flipped[~kept], plain[~kept].flip(3))
    assert 2 < kept.sum() < kept.numel() - 2


def test_domains_are_cropped_and_flipped_apart(domains: Path) -> None:
    for number in range(5):  # the same images on both sides
        for side in "AB":
            write(picture(number), domains / "same" / side / f"{number}.png")
    a, b = epoch(unpaired(domains / "same", serial=True, val_split=0, preprocess="crop"))
    assert not torch.equal(a, b)


@pytest.mark.parametrize("key", SAME)
def test_the_seed_and_the_epoch_decide_alone(key: str, make: Callable[..., Any]) -> None:
    expected = epoch(make(), 3)
    torch.manual_seed(5)  # the global random state has no say ...
    before = torch.get_rng_state()
    same = make(**SAME[key])
    same.train_set[next(iter(same.train_dataloader().sampler))]
    assert torch.equal(torch.get_rng_state(), before)  # ... and is left alone
    assert torch.equal(epoch(same, 3), expected)


def test_other_seeds_and_epochs_give_other_images(make: Callable[..., Any]) -> None:
    first = epoch(make())
    assert not torch.equal(first, epoch(make(), 1))
    assert not torch.equal(first, epoch(make(seed=1)))


def test_a_loader_goes_on_where_another_has_stopped(make: Callable[..., Any]) -> None:
    expected, data, seen = epoch(make()), make(num_workers=2), []
    for batch in data.train_dataloader():
        seen.append(torch.stack([batch["A"], batch["B"]]))
        if len(seen) == 2:
            break
    again = make()
    again.load_state_dict(data.state_dict())
    assert torch.equal(torch.cat([*seen, epoch(again)], 1), expected)


def test_processes_share_out_what_one_would_see(make: Callable[..., Any]) -> None:
    shares = []
    for rank in (0, 1):
        data = make()
        data.trainer = one_of_two(rank)
        shares.append(epoch(data))
    together = torch.stack(shares, 2).flatten(1, 2)
    assert torch.equal(together, epoch(make())[:, : together.shape[1]])


def test_a_run_of_lightning_s_goes_on_to_the_bit(
    make: Callable[..., Any], fit: Any, tmp_path: Path
) -> None:
    class Sums(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.sum, self.seen = torch.nn.Parameter(torch.zeros(())), 0

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            assert all(
                -1 <= x.min() < x.max() <= 1 and x.dtype == torch.float32 for x in batch.values()
            )
            self.seen += 1
            return self.sum * (batch["A"].mean() + 2 * batch["B"].mean()) * (batch_idx + 1)

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 1)

    saving = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=3, save_top_k=-1)
    unbroken, resumed = Sums(), Sums()
    fit(unbroken, make(), callbacks=[saving], enable_checkpointing=True)
    fit(resumed, make(), ckpt_path=tmp_path / "step=3.ckpt")
    assert torch.equal(unbroken.sum, resumed.sum)
    assert resumed.seen < unbroken.seen


# Two domains


def test_an_epoch_is_as_long_as_the_larger_domain(domains: Path) -> None:
    data = unpaired(domains, flip=False, load_size=16)
    each = {side: data.train_set[torch.arange(9)][side] for side in "AB"}
    assert torch.equal(each["B"][:4], each["B"][5:])  # by the place modulo their number
    met = Counter[tuple[int, int]]()
    for k in range(100):
        places = [
            [int((x == known).flatten(1).all(1).nonzero()[0]) for x in images]
            for images, known in zip(epoch(data, k), (each["A"], each["B"][:5]), strict=True)
        ]
        assert sorted(places[0]) == list(range(9))
        met.update(zip(*places, strict=True))
    assert len(met) == 9 * 5  # any of A with any of B
    assert all(abs(n - 20) < 17 for n in met.values())  # more than four standard deviations


def test_serial_training_keeps_the_order(domains: Path) -> None:
    data = unpaired(domains, flip=False, load_size=16, serial=True)
    expected = data.train_set[torch.arange(9)]
    a, b = epoch(data)
    assert torch.equal(a, expected["A"])
    assert torch.equal(b, expected["B"])
