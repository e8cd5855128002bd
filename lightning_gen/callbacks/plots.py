"""matplotlib figures as files and as tensors, without a display."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_gen.files import atomic_write


def new_figure(width: float, height: float) -> Any:
    """Return an empty figure; width and height are in hundreds of pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, path: Path) -> Tensor:
    """Write a figure to a file and return it as a tensor (3, h, w) in [0, 1]."""
    with atomic_write(path) as part:
        figure.savefig(part)
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
    return torch.from_numpy(pixels).permute(2, 0, 1) / 255
