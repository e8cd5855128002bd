"""Maps of what a model makes of images: codes by class, or a discriminator's features."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from lightning import LightningModule, Trainer
from torch import Tensor

from lightning_gen.callbacks.periodic import PeriodicCallback, file_name, show
from lightning_gen.callbacks.plots import new_figure, save_figure
from lightning_gen.callbacks.projection import Array, Method, knn_accuracy, project, trustworthiness
from lightning_gen.errors import ArgumentError, require_at_least, require_one_of
from lightning_gen.protocols import Encodes, Features, Samples, labels_for
from lightning_gen.sampling import sampling_mode
from lightning_gen.types import Images, Labels, to_pixels, to_rgb, unpack_batch

FEWEST, MOST = 3, 5000  # images of a map; fewer have no neighbourhoods
PICTURES = 400  # more pictures than that hide each other


class LatentPlot(PeriodicCallback):
    """Draws a map of the same validation images' codes, coloured by class, as training goes on.

    Codes of two entries are drawn as they are, longer ones through t-SNE or PCA. The title has the
    map's trustworthiness and the accuracy of 10 nearest neighbours; both are logged. Models that
    encode nothing but see features in images, as a GAN's discriminator does, get a map of real and
    generated images: where they lie apart, or where generated ones huddle, something is missing.

    Maps are written as `images/latents/step-<batches>.png` in the run's folder, and shown by
    loggers that have a panel for pictures. Only the first process draws, of its share of the
    images; training is bit-equal with and without.

    Args:
        every_n_epochs: epochs between maps; 0 draws none.
        n: images, as many of each class as there are, 5,000 at most.
        method: "tsne" or "pca".
        perplexity: of t-SNE.
        pictures: whether small pictures stand in place of points, 400 at most.
        pixels: whether a map of the raw pixels stands beside it.
        seed: of t-SNE, and of generated images.
        n_jobs: threads of t-SNE.

    Raises:
        ArgumentError: an argument is out of its range.
    """

    def __init__(
        self,
        every_n_epochs: int = 1,
        n: int = 2000,
        method: Method = "tsne",
        perplexity: float = 30.0,
        pictures: bool = False,
        pixels: bool = False,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> None:
        super().__init__(every_n_epochs)
        require_at_least(2, n=n)
        require_at_least(1, perplexity=perplexity)
        require_one_of(get_args(Method), method=method)
        if n > MOST:
            raise ArgumentError(
                "n", f"must be at most {MOST}, but is {n}: t-SNE would take minutes"
            )
        self.n, self.method, self.perplexity = n, method, perplexity
        self.pictures, self.pixels = pictures, pixels
        self.seed, self.n_jobs = seed, n_jobs
        self.batches: list[tuple[Images, Labels | None]] = []
        self.chosen: tuple[Images, Labels | None] | None = None
        self.maps: dict[str, Array] = {}  # the last ones, from which the next ones start

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find the run's folder; a new training has other images."""
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            self.chosen, self.maps = None, {}

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the validation images, once."""
        if trainer.is_global_zero and self.every_n_epochs and self.chosen is None:
            if batch_idx == 0:
                self.batches = []
            x, labels = unpack_batch(batch)
            self.batches.append((x.cpu(), None if labels is None else labels.cpu()))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose as many of each class as there are."""
        if self.batches and not trainer.sanity_checking:
            x = torch.cat([x for x, _ in self.batches])
            labels = [y for _, y in self.batches if y is not None]
            self.chosen = _balanced(x, torch.cat(labels) if labels else None, self.n)
            self.batches = []

    def draw(self, trainer: Trainer, model: LightningModule) -> None:
        """Draw now: write the map, log its figures, and hand it to the loggers."""
        if not trainer.is_global_zero or self.chosen is None or self.folder is None:
            return
        with sampling_mode(model, model.device, self.seed):
            scene = self.scene(model, model.device, *self.chosen)
        if scene is None or len(scene.x) < FEWEST:
            return
        titles = []
        for name, points in scene.spaces.items():
            self.maps[name] = project(
                points, self.method, self.maps.get(name), self.perplexity, self.seed, self.n_jobs
            )
            trust = trustworthiness(points, self.maps[name])
            title = f"{name}: trustworthiness {trust:.3f}"
            model.log(f"latents/{name}/trustworthiness", trust, rank_zero_only=True)
            if scene.labels is not None:
                accuracy = knn_accuracy(self.maps[name], scene.labels)
                title += f", 10-NN accuracy {accuracy:.3f}"
                model.log(f"latents/{name}/knn_accuracy", accuracy, rank_zero_only=True)
            titles.append(title)
        batches = trainer.fit_loop.total_batch_idx + 1
        picture = self.picture(scene, titles, self.folder / "latents" / file_name(batches))
        show(trainer, "latents", picture, batches)

    def scene(
        self, model: Any, device: torch.device, x: Images, labels: Labels | None
    ) -> "Scene | None":
        """What there is to draw of this model; nothing, if it neither encodes nor sees features."""
        if isinstance(model, Encodes):
            c = labels_for(model, labels)
            spaces = {"codes": _array(model.encode(x.to(device), *(y.to(device) for y in c)))}
            names = [] if labels is None else [str(int(label)) for label in labels.unique()]
        elif isinstance(model, Features) and isinstance(model, Samples):
            real = x[: self.n // 2].to(device)
            c = labels_for(model, None if labels is None else labels[: len(real)].to(device))
            sides = real, model.sample(len(real), self.seed, *c)
            seen = [model.features(side, *c) for side in sides]
            spaces = {"features": _array(torch.cat(seen))}
            # a packed discriminator sees several images at once: the first stands for them
            x = torch.cat(
                [s[:: len(s) // len(f)][: len(f)] for s, f in zip(sides, seen, strict=True)]
            ).cpu()
            labels = torch.arange(2).repeat_interleave(len(seen[0]))
            names = ["real", "generated"]
        else:
            return None
        if self.pixels:
            spaces["pixels"] = _array(x)
        return Scene(x, spaces, None if labels is None else labels.numpy(), names)

    def picture(self, scene: "Scene", titles: list[str], path: Path) -> Tensor:
        """Write the panels side by side; the same as a tensor (3, h, w) in [0, 1]."""
        figure = new_figure(6 * len(titles), 6)
        panels = figure.subplots(1, len(titles), squeeze=False)[0]
        for axes, title, name in zip(panels, titles, scene.spaces, strict=True):
            axes.set(title=title, xticks=[], yticks=[])
            _scatter(axes, self.maps[name], scene.labels, scene.names)
            if self.pictures:
                _place(axes, self.maps[name][:PICTURES], scene.x[:PICTURES])
        return save_figure(figure, path)


@dataclass(frozen=True)
class Scene:
    """What a map shows.

    Attributes:
        x: images (n, c, h, w).
        spaces: points (n, d) of the images, a panel each.
        labels: (n,), or None.
        names: of the labels, in their order.
    """

    x: Images
    spaces: dict[str, Array]
    labels: Array | None
    names: list[str]


def _scatter(axes: Any, points: Array, labels: Array | None, names: list[str]) -> None:
    if labels is None:
        axes.scatter(*points.T, s=3)
        return
    for color, (label, name) in enumerate(zip(np.unique(labels), names, strict=True)):
        chosen = points[labels == label]
        axes.scatter(*chosen.T, s=3, color=f"C{color % 10}", label=name)
    axes.legend(markerscale=4, loc="best", fontsize="small")


def _place(axes: Any, points: Array, x: Images) -> None:
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    shown = x if x.shape[1] == 1 else to_rgb(x)
    for place, image in zip(points, to_pixels(shown).permute(0, 2, 3, 1).numpy(), strict=True):
        marker = OffsetImage(image.squeeze(), zoom=14 / image.shape[0], cmap="gray_r")
        axes.add_artist(AnnotationBbox(marker, place, frameon=False))


def _balanced(x: Tensor, labels: Tensor | None, n: int) -> tuple[Tensor, Tensor | None]:
    """The first n images, in turn of one class and the next."""
    if labels is None:
        return x[:n], None
    rank = torch.zeros(len(labels), dtype=torch.long)  # the how-manieth of its class
    for label in labels.unique():
        members = labels == label
        rank[members] = torch.arange(int(members.sum()))
    order = torch.argsort(rank, stable=True)[:n]
    return x[order], labels[order]


def _array(x: Tensor) -> Array:
    return x.flatten(1).float().cpu().numpy()
