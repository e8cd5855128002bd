"""matplotlib figures as images and as files, without a display."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lightning_gen.files import atomic_write


def new_figure(width: float, height: float) -> Any:
    """Return an empty figure; width and height are in hundreds of pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def render(figure: Any) -> Image.Image:
    """Return a figure as an RGB image."""
    figure.canvas.draw()
    return Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure to a file."""
    with atomic_write(path) as part:
        render(figure).save(part)
