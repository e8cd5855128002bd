"""HTML page that shows images side by side and contains them."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path

import torch
from PIL import Image

from lightning_gen.errors import DataError
from lightning_gen.files import atomic_write
from lightning_gen.images.reading import read_image
from lightning_gen.types import to_images, to_pixels

LARGEST, SMALLEST = 512, 128  # sides of images on the page, in pixels
COLUMNS = ("Input", "Output", "Target")
HEAD = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  :root {{ color-scheme: light dark; }}
  body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 100rem; margin: auto; padding: 1rem; }}
  h1 {{ font-size: 1.25rem; }}
  table {{ border-collapse: collapse; table-layout: fixed; width: 100%; }}
  thead th {{ position: sticky; top: 0; background: Canvas; }}
  th {{ text-align: left; padding: .5rem .5rem 0 0; overflow-wrap: anywhere; }}
  tbody th {{ font-weight: normal; border-top: 1px solid GrayText; }}
  td {{ padding: .25rem .5rem 1rem 0; vertical-align: top; }}
  img {{ display: block; max-width: 100%; height: auto; min-height: .5rem; min-width: .5rem; }}
  p {{ color: GrayText; margin: 0; }}
  .enlarged {{ image-rendering: pixelated; }}
</style>
<h1>{title}</h1>
{note}
<table>
<thead><tr>{heads}</tr></thead>
<tbody>
"""


def write_gallery(
    path: Path,
    title: str,
    rows: Mapping[str, Sequence[Path]],
    notes: Mapping[str, str] | None = None,
) -> list[str]:
    """Write a page with a row for each name: input, output and, if given, target.

    The page contains the images, reduced to 512 pixels a side and 8 bits. It shows the first three
    of more channels than three, and the first one of two.

    Args:
        path: file to write.
        title: title of the page.
        rows: images by name.
        notes: text below a name, or below the title for the name "".

    Returns:
        Errors of the images that cannot be read and are not shown.
    """
    unread: list[str] = []
    n = max(map(len, rows.values()), default=2)
    heads = "".join(f'<th scope="col">{column}</th>' for column in COLUMNS[:n])
    with (
        atomic_write(path) as part,
        part.open("w", encoding="utf-8", errors="backslashreplace") as file,
    ):
        notes = {name: f"<p>{escape(note)}</p>" for name, note in (notes or {}).items()}
        file.write(HEAD.format(title=escape(title), note=notes.get("", ""), heads=heads))
        for name, images in rows.items():
            cells = "".join(f"<td>{_img(image, unread)}</td>" for image in images)
            text = escape(name) + notes.get(name, "")
            file.write(f'<tr><th colspan="{n}">{text}</th></tr>\n<tr>{cells}</tr>\n')
        file.write("</tbody>\n</table>\n</html>\n")
    return unread


def _img(path: Path, unread: list[str]) -> str:
    try:
        pixels = torch.tensor(read_image(path))
    except DataError as error:
        unread.append(str(error))
        return "cannot be read"
    shown = to_pixels(to_images((pixels[:3] if len(pixels) > 2 else pixels[:1])[None]))[0]
    image = Image.fromarray(shown.permute(1, 2, 0).squeeze(2).numpy())
    h, w = pixels.shape[1:]
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    image.save(buffer := BytesIO(), "PNG")
    data = b64encode(buffer.getvalue()).decode()
    zoom = max(SMALLEST // max(image.size), 1)
    enlarged = ' class="enlarged"' if zoom > 1 else ""
    return (
        f'<img{enlarged} alt="{escape(path.name)}, {w} x {h} pixels" title="{w} x {h}" '
        f'width="{zoom * image.width}" height="{zoom * image.height}" '
        f'src="data:image/png;base64,{data}">'
    )
