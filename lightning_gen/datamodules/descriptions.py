"""Sentences that describe data: classes, numbers of images, sizes."""

from collections.abc import Mapping, Sequence

from lightning_gen.datamodules.split_names import Split
from lightning_gen.errors import first_few

SPLIT_NAMES: dict[Split, str] = {"train": "training", "val": "validation", "test": "test"}


def count(n: int, noun: str) -> str:
    """Return a number with a noun, such as 1 class or 3 classes."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{n:,} {noun if n == 1 else plural}"


def describe_classes(n: int, names: Sequence[str]) -> str:
    """Return, for example, 2 classes (cat, dog); nothing without classes."""
    listed = f" ({', '.join(first_few(list(names)))})" if names else ""
    return f"{count(n, 'class')}{listed}" if n else ""


def describe_numbers(numbers: Mapping[Split, Sequence[int]], noun: str) -> str:
    """Return, for example, 120 training and 30 validation images; nothing without numbers.

    Args:
        numbers: number of images in each split: of all images, or of each domain.
        noun: word for an image.
    """
    parts = [
        f"{' + '.join(f'{k:,}' for k in n)} {SPLIT_NAMES[split]}" for split, n in numbers.items()
    ]
    is_single = bool(numbers) and list(numbers.values())[-1] == (1,)
    listed = " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
    return f"{listed} {noun if is_single else f'{noun}s'}" if parts else ""


def describe_size(height: int, width: int) -> str:
    """Return, for example, 64 x 48 pixels: width and height."""
    return f"{width} x {height} pixels"


def join(*parts: str) -> str:
    """Join the parts that are not empty with commas."""
    return ", ".join(filter(None, parts))
