"""Laws of data in two domains: pairs stay aligned, depth stays, chance follows from the seed."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from lightning import LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from PIL import Image
from torch import Tensor

from lightning_gen import PairedImageDataModule, UnpairedImageDataModule
from lightning_gen.cli import main
from lightning_gen.datamodules.records import Files, Kept
from lightning_gen.datamodules.resizing import Resizing, resize
from lightning_gen.errors import ArgumentError, DataError
from tests.test_image_folder import SAME, picture

Data = PairedImageDataModule | UnpairedImageDataModule


def both(number: int, size: tuple[int, int] = (24, 20)) -> tuple[Image.Image, Image.Image]:
    """A picture, and its inverse."""
    a = picture(number, size)
    return a, Image.fromarray(255 - np.asarray(a))


def write(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def write_pair(number: int, path: Path, size: tuple[int, int] = (24, 20)) -> None:
    """A|B in one picture."""
    write(Image.fromarray(np.concatenate([np.asarray(x) for x in both(number, size)], 1)), path)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training, validation and test pairs of two sizes, in numbers of 20, 4 and 3."""
    folder, number = tmp_path_factory.mktemp("pairs"), 0
    for split, n in (("train", 20), ("val", 4), ("test", 3)):
        for _ in range(n):
            size = ((24, 20), (17, 31))[number % 2]
            write_pair(number, folder / split / f"{number:02}.png", size)
            number += 1
    return folder


@pytest.fixture(scope="module")
def domains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """9 training pictures of A, 5 of B, and 2 and 3 for the test."""
    folder, number = tmp_path_factory.mktemp("domains"), 0
    for split, n in (("trainA", 9), ("trainB", 5), ("testA", 2), ("testB", 3)):
        for _ in range(n):
            write(picture(number), folder / split / f"{number:02}.png")
            number += 1
    return folder


def set_up(data: Data, *stages: str) -> Any:
    data.prepare_data()
    for stage in stages or ("fit", "test"):
        data.setup(stage)
    return data


def paired(root: Path, **kwargs: Any) -> Any:
    return set_up(PairedImageDataModule(str(root), **{"image_size": 16, "batch_size": 4} | kwargs))


def unpaired(root: Path, **kwargs: Any) -> Any:
    return set_up(UnpairedImageDataModule(str(root), **{"image_size": 16} | kwargs))


MODULES: dict[str, Callable[..., Any]] = {"paired": paired, "unpaired": unpaired}


@pytest.fixture(params=MODULES)
def make(request: Any, root: Path, domains: Path) -> Callable[..., Any]:
    """Either module on its pictures."""
    folder = root if request.param == "paired" else domains
    return lambda **kwargs: MODULES[request.param](folder, **{"batch_size": 2} | kwargs)


def epoch(data: Any, number: int = 0) -> Tensor:
    """A and B of all training batches, (2, n, c, h, w), in the order of an epoch."""
    loader = data.train_dataloader()
    loader.order.set_epoch(number)
    batches = list(loader)
    return torch.stack([torch.cat([batch[domain] for batch in batches]) for domain in "AB"])


# Where the pictures lie

LAYOUTS = {
    "train/A train/B": "{split}/{side}/{name}",
    "A/train B/train": "{side}/{split}/{name}",
    "trainA trainB": "{split}{side}/{name}",
}


def lay_out(folder: Path, pattern: str, splits: tuple[str, ...] = ("train", "val", "test")) -> None:
    for k, split in enumerate(splits):
        for number in range(3 * k, 3 * k + 3):
            for side, image, end in zip("AB", both(number), (".png", ".bmp"), strict=True):
                name = f"deep/{number}{end}"
                write(image, folder / pattern.format(split=split, side=side, name=name))


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


def test_validation_pictures_are_the_next_best(tmp_path: Path) -> None:
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
    order, counts = data.train_dataloader().order, Counter[tuple[int, ...]]()
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
    for number in range(5):  # the same pictures on both sides
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
    same.train_set[next(iter(same.train_dataloader().order))]
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
        data.trainer = SimpleNamespace(world_size=2, global_rank=rank)
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


# Resizing


def test_evaluation_is_pil_s_bicubic_in_order(make: Callable[..., Any]) -> None:
    data = make(batch_size=1)
    for loader, part in ((data.val_dataloader(), "val"), (data.test_dataloader(), "test")):
        a, b = data.parts[part]
        for place, batch in enumerate(loader):
            files = a[place % len(a)], b[place % len(b)]
            for side, file in zip("AB", files, strict=True):
                image = Image.open(file)
                if isinstance(data, PairedImageDataModule):
                    half = image.width // 2
                    left = half * (side == "B")
                    image = image.crop((left, 0, left + half, image.height))
                expected = np.asarray(image.resize((16, 16), Image.Resampling.BICUBIC))
                assert (batch[side][0].permute(1, 2, 0).numpy() == expected).all()


@pytest.mark.parametrize("size", [(286, 286), (16, 40), (300, 7)])
def test_resizing_is_pil_s_at_any_depth(size: tuple[int, int]) -> None:
    colours = np.random.default_rng(0).integers(90, 166, (40, 30, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC))
    pixels = colours.transpose(2, 0, 1)
    assert (resize(pixels, *size[::-1]).transpose(1, 2, 0) == expected).all()
    deep = resize(pixels.astype(np.uint16) * 257, *size[::-1])
    floats = resize((pixels / 127.5 - 1).astype(np.float32), *size[::-1])
    assert (deep.dtype, floats.dtype) == (np.uint16, np.float32)
    assert np.abs(deep / 65535 * 2 - 1 - floats).max() < 1e-4
    assert np.abs((floats + 1) * 127.5 - expected.transpose(2, 0, 1)).max() < 1.5


def test_resizing_does_not_overshoot() -> None:
    edge = np.repeat([[[0, 65535] * 3]], 6, 1).astype(np.uint16)
    deep = resize(edge, 24, 24)
    assert (deep[0, 0, 0], deep[0, 0, -1]) == (0, 65535)
    assert np.abs(np.diff(deep.astype(int), axis=2)).max() < 40000  # no level wraps around
    assert np.abs(resize(edge / np.float32(32767.5) - 1, 24, 24)).max() <= 1


RESIZED: dict[
    Any, tuple[tuple[int, int], tuple[int, int]]
] = {  # height and width, before and after
    ("resize_and_crop", 1): ((30, 50), (20, 20)),
    ("crop", 1): ((30, 50), (30, 50)),
    ("scale_width", 1): ((30, 50), (16, 20)),
    ("scale_width", 2): ((61, 50), (24, 20)),
    ("scale_width_and_crop", 1): ((30, 50), (16, 20)),
    ("none", 1): ((30, 50), (32, 48)),
    ("none", 2): ((1, 5001), (4, 5000)),
}


@pytest.mark.parametrize("key", RESIZED)
def test_modes_give_the_reference_s_sizes(key: Any) -> None:
    before, after = RESIZED[key]
    resizing = Resizing(key[0], load_size=20, image_size=16)
    assert resizing(np.zeros((3, *before), np.uint8), "a.png").shape == (3, *after)
    assert resizing.crop == (16 if "crop" in key[0] else None)


def test_pictures_of_several_sizes_come_one_by_one(root: Path) -> None:
    data = paired(root, preprocess="none", batch_size=1)
    assert {tuple(batch["A"].shape) for batch in data.train_dataloader()} == {
        (1, 3, 20, 24),
        (1, 3, 32, 16),
    }
    with pytest.raises(ArgumentError, match=r"batch_size must be 1 .*none .*00\.png.* and .*01"):
        paired(root, preprocess="none", batch_size=2)


def test_load_size_keeps_the_reference_s_proportion(root: Path) -> None:
    for size, load_size in ((256, 286), (128, 143), (64, 72)):
        data = PairedImageDataModule(str(root), image_size=size)
        assert (data.training.load_size, data.evaluation.load_size) == (load_size, size)


# Depth and channels


def test_pairs_of_16_bits_keep_them(tmp_path: Path) -> None:
    for number in range(4):
        deep = np.random.default_rng(number).integers(0, 65536, (20, 20), dtype=np.uint16)
        for side, pixels in (("A", deep), ("B", 65535 - deep)):
            (tmp_path / side).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / side / f"{number}.tif", pixels)
    data = paired(tmp_path, val_split=0, load_size=20)
    assert (data.image_shape, data.target_channels) == ((1, 16, 16), 1)
    batch = next(iter(data.train_dataloader()))
    assert batch["A"].dtype == torch.uint16
    assert (batch["A"].int() + batch["B"].int() == 65535).all()
    x = data.on_after_batch_transfer(batch, 0)
    assert (x["A"] + x["B"]).abs().max() < 1e-6
    assert len(x["A"].unique()) > 900


def test_pairs_of_7_channels_keep_range_and_channels(tmp_path: Path) -> None:
    for number in range(4):
        floats = np.random.default_rng(number).uniform(-1, 1, (7, 20, 20)).astype(np.float32)
        bits = (floats[:1] > 0).astype(np.uint8) * 255
        for side, pixels in (("A", floats), ("B", bits.transpose(1, 2, 0))):
            (tmp_path / side).mkdir(exist_ok=True)
            np.save(tmp_path / side / f"{number}.npy", pixels)
    data = paired(tmp_path, val_split=0, load_size=20)
    assert (data.image_shape, data.target_channels) == ((7, 16, 16), 1)
    x = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert x["A"].shape == (4, 7, 16, 16)
    assert torch.equal(x["A"][:, :1] > 0, x["B"] > 0)
    assert x["A"].min() < -0.99 < 0.99 < x["A"].max() <= 1


def test_the_first_picture_says_how_many_channels_there_are(domains: Path, tmp_path: Path) -> None:
    for side in ("trainA", "trainB"):
        (tmp_path / side).symlink_to(domains / side)
    (tmp_path / "testA").mkdir()
    write(picture(0).convert("L"), tmp_path / "testA" / "grey.png")
    write(picture(0), tmp_path / "testB" / "a.png")
    with pytest.raises(DataError, match=r"grey\.png: it has 1 .*, but .* has 3: .*channels_a"):
        unpaired(tmp_path)
    data = unpaired(tmp_path, channels_a=3)
    assert data.test_set[0]["A"].shape == (3, 16, 16)
    data = unpaired(tmp_path, channels_a=1)
    assert (data.image_shape, data.target_channels) == ((1, 16, 16), 3)


def test_halves_may_have_channels_of_their_own(root: Path) -> None:
    data = paired(root, channels_b=1)
    assert (data.image_shape, data.target_channels) == ((3, 16, 16), 1)
    x, y = data.test_set[0], paired(root).test_set[0]
    assert torch.equal(x["A"], y["A"])
    luma = (y["B"] * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0)
    assert (x["B"][0] - luma).abs().max() < 2


def test_one_depth_a_domain(tmp_path: Path) -> None:
    lay_out(tmp_path, LAYOUTS["trainA trainB"])
    for side in "AB":
        np.save(tmp_path / f"train{side}" / "x.npy", np.zeros((3, 20, 20), np.uint16))
    with pytest.raises(DataError, match=r"x\.npy: .* are uint16, but those of .* are uint8"):
        paired(tmp_path)


# Memory


def test_pairs_are_kept_if_they_fit(tmp_path: Path) -> None:
    for k in range(5):
        write_pair(k, tmp_path / "train" / f"{k}.png", (180, 180))
    size: dict[str, Any] = {"image_size": 180, "load_size": 180, "val_split": 0, "memory": 1}
    kept = paired(tmp_path, **size)  # 5 of 2 x 180 x 180 x 3 bytes are 0.93 MiB
    assert isinstance(kept.train_set.crops.source, Kept)
    write_pair(6, tmp_path / "train" / "6.png", (180, 180))
    with pytest.warns(UserWarning, match=r"6 images take more than memory=1 MiB"):
        data = paired(tmp_path, **size)
    assert isinstance(data.train_set.crops.source, Files)


def test_all_splits_share_the_memory(tmp_path: Path) -> None:
    for k in range(3):
        write_pair(k, tmp_path / "train" / f"{k}.png", (180, 180))
        write_pair(k, tmp_path / "val" / f"{k}.png", (180, 180))
    with pytest.warns(UserWarning, match=r"3 images take more than memory=1 MiB"):
        data = paired(tmp_path, image_size=180, load_size=180, batch_size=1, memory=1)
    assert isinstance(data.train_set.crops.source, Kept)
    assert isinstance(data.val_set.crops.source, Files)


# What is wrong with pictures


def broken(folder: Path) -> Path:
    """Six pairs of which one is a broken JPEG file and one has an odd width."""
    for k in range(4):
        write_pair(k, folder / "train" / f"{k}.png")
    write_pair(4, folder / "train" / "cut.jpg", (200, 200))
    content = (folder / "train" / "cut.jpg").read_bytes()
    (folder / "train" / "cut.jpg").write_bytes(content[: len(content) // 2])
    write(picture(5, (47, 20)), folder / "train" / "odd.png")
    return folder


@pytest.mark.parametrize("memory", [0, 100])
def test_wrong_files_raise_or_are_listed(memory: int, tmp_path: Path) -> None:
    kwargs: dict[str, Any] = {"memory": memory, "val_split": 0}
    with pytest.raises(DataError, match=r"2 of 6(?s:.*)on_error skip") as error:
        paired(broken(tmp_path), **kwargs)
    for part in ("cut.jpg: image file is truncated", "odd.png: A|B is 47 pixels wide"):
        assert part in str(error.value)
    with pytest.warns(UserWarning, match=r"2 of 6 .* left out:\n.*cut.jpg(?s:.*)odd.png"):
        data = paired(tmp_path, on_error="skip", **kwargs)
    assert len(data.train_set) == 4


def test_pictures_without_partner_raise_or_are_listed(tmp_path: Path) -> None:
    lay_out(tmp_path, LAYOUTS["trainA trainB"])
    (tmp_path / "trainA" / "deep" / "1.png").unlink()
    (tmp_path / "trainB" / "deep" / "2.bmp").unlink()
    with pytest.raises(DataError, match=r"2 pictures(?s:.*)1\.bmp\n.*2\.png\n.*on_error skip"):
        paired(tmp_path)
    with pytest.warns(UserWarning, match=r"2 pictures(?s:.*)left out:\n.*1\.bmp\n.*2\.png"):
        data = paired(tmp_path, on_error="skip", batch_size=1)
    assert len(data.train_set) == 1


def test_a_broken_first_picture_is_named_or_skipped(tmp_path: Path) -> None:
    lay_out(tmp_path, LAYOUTS["trainA trainB"])
    (tmp_path / "trainA" / "0.png").write_text("no image")
    with pytest.raises(DataError, match=r"0\.png: cannot identify"):
        unpaired(tmp_path)
    with pytest.warns(UserWarning, match=r"1 of 4"):
        data = unpaired(tmp_path, on_error="skip")
    assert data.image_shape == (3, 16, 16)


def make_two_of_one_name(folder: Path) -> None:
    lay_out(folder, LAYOUTS["trainA trainB"])
    write(picture(0), folder / "trainA" / "deep" / "0.bmp")


def make_partners_of_two_sizes(folder: Path) -> None:
    lay_out(folder, "{side}/{name}")
    write(picture(0, (40, 40)), folder / "B" / "deep" / "0.bmp")


def make_no_partner(folder: Path) -> None:
    lay_out(folder, LAYOUTS["trainA trainB"])
    (folder / "testB").rename(folder / "elsewhere")


FOLDERS: dict[str, tuple[Callable[[Path], Any], str, dict[str, Any]]] = {
    "missing": (lambda folder: None, "root is .*, but there is no such folder", {}),
    "no train": (Path.mkdir, "root is .*, which holds neither train", {}),
    "empty": (
        lambda folder: (folder / "train").mkdir(parents=True),
        "root .*nothing in .*train",
        {},
    ),
    "no B": (make_no_partner, "root .*testA, but there is no .*testB", {}),
    "two of one name": (make_two_of_one_name, "0.bmp and .*0.png have one name", {}),
    "two sizes": (
        make_partners_of_two_sizes,
        r"0.png: it has 24 x 20 pixels, but its partner .*0.bmp 40 x 40",
        {"preprocess": "crop"},
    ),
    "too small": (
        lambda folder: lay_out(folder, "{side}/{name}"),
        "0.png: 24 x 20 pixels hold no square of --data.image_size 21",
        {"preprocess": "crop", "image_size": 21},
    ),
}


@pytest.mark.parametrize("key", FOLDERS)
def test_what_is_wrong_with_a_folder_is_named(key: str, tmp_path: Path) -> None:
    prepare, message, kwargs = FOLDERS[key]
    prepare(tmp_path / "folder")
    with pytest.raises((ArgumentError, DataError), match=rf"(?s:.*){message}"):
        paired(tmp_path / "folder", **kwargs)


def test_missing_folders_of_domains_are_named(root: Path) -> None:
    with pytest.raises(ArgumentError, match="root is .*, which holds neither trainA and trainB"):
        unpaired(root)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"batch_size": 0}, {"batch_size": 21}, {"image_size": 0}, {"load_size": 15}),
        *({"preprocess": "shrink"}, {"channels_a": 0}, {"channels_b": -1}, {"val_split": -0.1}),
        *({"memory": -1}, {"on_error": "warn"}, {"name": "mnist"}, {"seed": -1}),
    ],
    ids=str,
)
def test_an_argument_out_of_range_is_named(wrong: dict[str, Any], root: Path) -> None:
    with pytest.raises((ArgumentError, TypeError), match=next(iter(wrong))):
        paired(root, **wrong)


@pytest.mark.parametrize("name", ["PairedImageDataModule", "UnpairedImageDataModule"])
def test_every_argument_is_a_flag_with_its_help(name: str, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "--data.help", name])
    text = " ".join(capsys.readouterr().out.split())
    public = "vangogh2photo" if name.startswith("Un") else "night2day"
    for part in ("--data.load_size", "286 for 256", "--data.on_error", public):
        assert part in text
