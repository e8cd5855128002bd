"""Laws of `train.py translate` and its HTML page."""

from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lightning_gen.cli import main
from lightning_gen.images.reading import read_image
from lightning_gen.images.writing import write_image
from lightning_gen.networks import (
    ResNetGenerator,
    load_reference_weights,
    save_reference_weights,
)
from lightning_gen.types import to_images, to_pixels

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")


def generator(name: str = "G.pth", channels: int = 3) -> ResNetGenerator:
    """Write published weights of a network with a varying output, and read them."""
    network = ResNetGenerator(channels, channels, 1, 4)
    for parameter in network.parameters():
        parameter.data.normal_(0, 0.3)
    save_reference_weights(network, name)
    return load_reference_weights(name)


def save(name: str, channels: int, h: int, w: int, dtype: Any = np.uint8) -> np.ndarray:
    white = np.iinfo(dtype).max
    pixels = np.random.default_rng(0).integers(0, white, (channels, h, w), dtype)
    write_image(pixels, Path(name))
    return pixels


def translated(network: Any, pixels: np.ndarray) -> np.ndarray:
    x = torch.tensor(pixels)
    with torch.no_grad():
        return to_pixels(network(to_images(x[None]))[0], x.dtype).numpy()


def test_a_folder_of_many_kinds_keeps_names_sizes_and_depths() -> None:
    network = generator()
    kinds = {  # shapes with and without padding
        "a.png": (3, 16, 24, np.uint8),
        "sub/sub/a.png": (3, 32, 16, np.uint8),
        "deep.png": (3, 16, 20, np.uint16),
        "deep.tif": (3, 20, 16, np.uint16),
        "array.npy": (3, 16, 16, np.uint8),
        "odd.png": (3, 13, 39, np.uint8),
        "strip.png": (3, 1, 5000, np.uint8),
        "dot.npy": (3, 1, 1, np.uint16),
    }
    inputs = {name: save(f"in/{name}", *kind) for name, kind in kinds.items()}
    Path("in/notes.txt").write_text("not an image")
    assert main(["translate", "G.pth", "in", "--out", "out"]) == 0
    outputs = {str(p.relative_to("out")): p for p in Path("out").rglob("*") if p.is_file()}
    assert outputs.keys() == kinds.keys()
    for name, pixels in inputs.items():
        output = read_image(outputs[name], 3)
        assert (output.shape, output.dtype) == (pixels.shape, pixels.dtype), name
        if all(side % 4 == 0 and side >= 16 for side in pixels.shape[1:]):
            assert np.array_equal(output, translated(network, pixels)), name


def test_one_file_of_seven_channels() -> None:
    network, pixels = generator(channels=7), save("seven.npy", 7, 16, 20, np.uint16)
    assert main(["translate", "G.pth", "seven.npy"]) == 0
    assert np.array_equal(np.load("translated/seven.npy"), translated(network, pixels))


def test_grayscale_and_jpeg_are_converted_to_the_channels_of_the_network() -> None:
    network = generator()
    Image.fromarray(save("gray.png", 1, 16, 16)[0]).convert("RGB").save("in.jpg")
    assert main(["translate", "G.pth", "gray.png"]) == 0
    assert main(["translate", "G.pth", "in.jpg"]) == 0
    for source, output in (("gray.png", "gray.png"), ("in.jpg", "in.png")):
        expected = translated(network, read_image(source, 3))
        assert np.array_equal(read_image(f"translated/{output}", 3), expected)


def test_large_images_are_translated_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    generator()
    save("in.png", 3, 50, 300)
    sides: list[int] = []
    forward = ResNetGenerator.forward

    def watched(self: ResNetGenerator, x: Tensor) -> Tensor:
        sides.extend(x.shape[2:])
        return forward(self, x)

    monkeypatch.setattr(ResNetGenerator, "forward", watched)
    assert main(["translate", "G.pth", "in.png", "--tile", "64"]) == 0
    assert max(sides) == 64
    assert len(sides) > 8
    assert read_image("translated/in.png").shape == (3, 50, 300)


def test_nothing_is_overwritten_without_force(capsys: Any) -> None:
    generator()
    save("in/a.png", 3, 16, 16)
    save("in/b.png", 3, 16, 16)
    Path("out").mkdir()
    Path("out/b.png").write_text("precious")
    assert main(["translate", "G.pth", "in", "--out", "out"]) == 2
    assert "out/b.png exists" in capsys.readouterr().err
    assert [p.name for p in Path("out").iterdir()] == ["b.png"]  # and nothing was computed
    assert main(["translate", "G.pth", "in", "--out", "out", "--force", "true"]) == 0
    assert read_image("out/b.png").shape == (3, 16, 16)
    before = Path("in/a.png").read_bytes()
    assert main(["translate", "G.pth", "in/a.png", "--out", "in", "--force", "true"]) == 2
    assert "one of the input images" in capsys.readouterr().err
    for out in ("in", "in/out"):  # a second run would translate what the first one wrote
        assert main(["translate", "G.pth", "in", "--out", out, "--force", "true"]) == 2
        assert f"--out {out} is inside in" in capsys.readouterr().err
    assert Path("in/a.png").read_bytes() == before


def test_unreadable_images_are_listed_and_the_others_translated(capsys: Any) -> None:
    generator()
    save("in/a.png", 3, 16, 16)
    save("in/five.npy", 5, 16, 16)
    Image.new("RGB", (64, 64)).save("whole.jpg")
    Path("in/broken.jpg").write_bytes(Path("whole.jpg").read_bytes()[:400])
    assert main(["translate", "G.pth", "in", "--out", "out", "--html", "true"]) == 2
    output = capsys.readouterr()
    assert "2 of 3 skipped" in output.err
    assert "in/broken.jpg: " in output.err
    assert "in/five.npy: it has 5 channels, not 3" in output.err
    assert "1 image: out/index.html" in output.out
    assert sorted(p.name for p in Path("out").iterdir()) == ["a.png", "index.html"]


def test_unwritable_images_are_listed_and_the_others_translated(capsys: Any) -> None:
    save_reference_weights(ResNetGenerator(3, 7, 1, 4), "G.pth")
    for name in ("a.png", "b.tif"):
        save(f"in/{name}", 3, 16, 16)
    assert main(["translate", "G.pth", "in"]) == 2
    assert "translated/a.png cannot hold 7 channels" in capsys.readouterr().err
    assert [p.name for p in Path("translated").iterdir()] == ["b.tif"]


@pytest.mark.parametrize("name", ["a" * 251, "\udcff"], ids=["long", "not UTF-8"])
def test_unusual_file_names(name: str) -> None:
    generator()
    save("in/a.png", 3, 16, 16)
    Path("in/a.png").rename(f"in/{name}.png")
    assert main(["translate", "G.pth", "in", "--html", "true"]) == 0
    assert Path("translated", f"{name}.png").is_file()
    assert Path("translated", "index.html").read_text(encoding="utf-8")


class Page(HTMLParser):
    """Collect the tags, links and text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.shown: list[str] = []
        self.tags: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [str(v) for k, v in attrs if k in ("src", "href", "srcset", "data")]

    def handle_data(self, data: str) -> None:
        self.shown.append(data)


def test_the_page_contains_all_images() -> None:
    generator()
    names = ["a.png", "sub/<b> & 'c'.png", "large.png"]
    for name, size in zip(names, [(3, 16, 20), (3, 1, 40), (3, 30, 1100)], strict=True):
        save(f"in/{name}", *size)
        save(f"wanted/{Path(name).with_suffix('.tif')}", *size)
    flags = ["--out", "out", "--html", "true", "--target", "wanted"]
    assert main(["translate", "G.pth", "in", *flags]) == 0
    page = Page(Path("out/index.html"))
    assert {"script", "link", "iframe"}.isdisjoint(page.tags)
    assert "url(" not in Path("out/index.html").read_text()
    prefix = "data:image/png;base64,"
    assert len(page.sources) == 9
    assert all(source.startswith(prefix) for source in page.sources)
    shown = [Image.open(BytesIO(b64decode(s.removeprefix(prefix)))) for s in page.sources]
    assert [p.size for p in shown] == [(20, 16)] * 3 + [(512, 14)] * 3 + [(40, 1)] * 3
    for image, path in zip(shown[:3], ["in/a.png", "out/a.png", "wanted/a.tif"], strict=True):
        assert np.array_equal(np.asarray(image).transpose(2, 0, 1), read_image(path))
    assert {"Input", "Output", "Target", *names} <= set(page.shown)


@pytest.mark.parametrize(("name", "channels", "first"), [("a.tif", 7, 3), ("a.npy", 2, 1)])
def test_deep_and_many_channels_are_shown_too(name: str, channels: int, first: int) -> None:
    generator(channels=channels)
    pixels = save(name, channels, 16, 20, np.uint16)
    assert main(["translate", "G.pth", name, "--html", "true"]) == 0
    source = Page(Path("translated/index.html")).sources[0].partition(",")[2]
    shown = np.atleast_3d(Image.open(BytesIO(b64decode(source)))).transpose(2, 0, 1)
    assert np.abs(shown - pixels[:first] / 257).max() <= 0.51


def test_unreadable_targets_are_listed_on_a_page_of_the_others(capsys: Any) -> None:
    generator()
    for name in ("in/a.png", "in/b.png", "wanted/a.png", "wanted/b.png"):
        save(name, 3, 16, 16)
    Path("wanted/b.png").write_bytes(Path("wanted/b.png").read_bytes()[:50])
    flags = ["--out", "out", "--html", "true", "--target", "wanted"]
    assert main(["translate", "G.pth", "in", *flags]) == 2
    output = capsys.readouterr().err
    assert "1 of 4 skipped" in output
    assert "wanted/b.png: " in output
    page = Page(Path("out/index.html"))
    assert len(page.sources) == 5
    assert "cannot be read" in page.shown


def test_images_above_the_limit_of_pil_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    generator()
    save("in.png", 3, 16, 16)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert main(["translate", "G.pth", "in.png"]) == 0
    assert Image.MAX_IMAGE_PIXELS == 100


def test_targets_give_metrics_of_each_image_and_their_mean(capsys: Any) -> None:
    generator()
    for name in ("a.png", "sub/b.png"):
        save(f"in/{name}", 3, 16, 20)
    assert main(["translate", "G.pth", "in", "--out", "first"]) == 0
    outputs = {name: read_image(f"first/{name}") for name in ("a.png", "sub/b.png")}
    off = outputs["a.png"].astype(int)
    off = np.where(off >= 128, off - 51, off + 51).astype(np.uint8)  # 0.2 of the intensities
    write_image(off, Path("wanted/a.png"))
    write_image(outputs["sub/b.png"], Path("wanted/sub/b.tif"))
    capsys.readouterr()
    flags = ["--out", "out", "--target", "wanted"]
    assert main(["translate", "G.pth", "in", *flags]) == 0
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert rows["a.png"][0] == "13.98"  # -20 log10(0.2) dB
    assert rows["a.png"][2] == "0.4000"
    assert rows["sub/b.png"] == ["inf", "1.000", "0.0000"]
    assert rows["mean"][2] == "0.2000"
    assert not Path("out/index.html").exists()
    assert main(["translate", "G.pth", "in", *flags, "--html", "true", "--force", "true"]) == 0
    shown = Page(Path("out/index.html")).shown
    assert any(text.startswith("PSNR 13.98 dB, SSIM 0.") and "L1 0.4000" in text for text in shown)
    assert any(text.startswith("Mean of 2: PSNR inf dB") for text in shown)


def test_a_target_of_another_size_is_listed_and_the_others_are_measured(capsys: Any) -> None:
    generator()
    for name in ("a.png", "b.png"):
        save(f"in/{name}", 3, 16, 20)
    save("wanted/a.png", 3, 20, 16)
    save("wanted/b.png", 1, 16, 20)  # becomes RGB
    assert main(["translate", "G.pth", "in", "--target", "wanted"]) == 2
    output = capsys.readouterr()
    assert (
        "wanted/a.png: the translation has 20 x 16 pixels, 3 channels, but its target 16 x 20"
        in (output.err)
    )
    assert "  b.png" in output.out
    assert "  a.png" not in output.out


def test_small_and_deep_targets_have_metrics_too(capsys: Any) -> None:
    generator()
    save("in/a.png", 3, 4, 40, np.uint16)
    save("wanted/a.png", 3, 4, 40)
    assert main(["translate", "G.pth", "in", "--target", "wanted"]) == 0
    psnr, ssim, l1 = capsys.readouterr().out.split("a.png")[1].split()[:3]
    assert ssim == "nan"
    assert float(psnr) > 0 < float(l1) < 2


@pytest.mark.parametrize(("low", "unit"), [(0.0, True), (-1.0, False)])
def test_floats_keep_their_range(
    low: float, unit: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    network = generator()
    pixels = np.random.default_rng(0).uniform(low, 1, (3, 16, 16)).astype(np.float32)
    write_image(pixels, Path("in/a.npy"))
    assert main(["translate", "G.pth", "in", "--out", "out"]) == 0
    assert ("read and written in [0, 1]" in capsys.readouterr().out) == unit
    x = torch.tensor(pixels)[None]
    with torch.no_grad():
        expected = (network(2 * x - 1) + 1) / 2 if unit else network(x)
    assert np.allclose(np.load("out/a.npy"), expected[0].numpy(), atol=1e-5)
