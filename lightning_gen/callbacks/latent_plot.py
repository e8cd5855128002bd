"""Maps of latent codes, or of a discriminator's features, in two dimensions."""

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from PIL import Image
from torch import Tensor

from lightning_gen.callbacks.periodic import PeriodicCallback, has_validation, warn_on_error
from lightning_gen.callbacks.plots import new_figure, render
from lightning_gen.callbacks.projection import Array, Method, knn_accuracy, project, trustworthiness
from lightning_gen.errors import ArgumentError, require_at_least, require_one_of
from lightning_gen.protocols import Encodes, Features, Samples, labels_for
from lightning_gen.sampling import sampling_mode
from lightning_gen.types import Images, Labels, to_images, to_pixels, to_rgb, unpack_batch

MIN_IMAGES, MAX_IMAGES = 3, 5000  # of a map; fewer have no neighborhoods
MAX_THUMBNAILS = 400  # more would hide each other
BATCH = 256  # images per forward pass


class LatentPlot(PeriodicCallback):
    """Plot the codes of the same validation images during training, colored by class.

    Two-dimensional codes are plotted as they are, others by t-SNE or PCA. The map's trustworthiness
    and the accuracy of 10 nearest neighbors are logged and shown in the title. For a model that
    does not encode but has features, such as a GAN's discriminator, the map shows the features of
    real and generated images; where the two do not overlap, the generator misses something.

    Maps are written as `images/latents/step-<batches>.png` in the run's folder and sent to loggers
    that display images. Only the first process draws, from its share of the images. Training is
    bit-equal with and without this callback.

    Args:
        every_n_epochs: epochs between maps; if 0, draw none.
        n: number of images, balanced over the classes; at most 5,000.
        method: "tsne" or "pca".
        perplexity: perplexity of t-SNE.
        thumbnails: if True, draw up to 400 of the points as small images.
        pixels: if True, add a map of the raw pixels.
        seed: seed of t-SNE and of the generated images.
        n_jobs: number of threads of t-SNE.

    Raises:
        ArgumentError: an argument is out of range.
    """

    def __init__(
        self,
        every_n_epochs: int = 1,
        n: int = 2000,
        method: Method = "tsne",
        perplexity: float = 30.0,
        thumbnails: bool = False,
        pixels: bool = False,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> None:
        super().__init__(every_n_epochs)
        require_at_least(2, n=n)
        require_at_least(1, perplexity=perplexity)
        require_one_of(get_args(Method), method=method)
        if n > MAX_IMAGES:
            raise ArgumentError(
                "n", f"must be at most {MAX_IMAGES}, but is {n}: t-SNE would take minutes"
            )
        self.n, self.method, self.perplexity = n, method, perplexity
        self.thumbnails, self.pixels = thumbnails, pixels
        self.seed, self.n_jobs = seed, n_jobs
        self.candidates: tuple[Images, Labels | None] | None = None  # of this validation so far
        self.chosen: tuple[Images, Labels | None] | None = None
        self.maps: dict[str, Array] = {}  # the latest, from which the next ones start

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find the run's folder; discard the images of a previous training."""
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            self.chosen, self.maps = None, {}

    def why_nothing(self, trainer: Trainer, model: LightningModule) -> str:
        """Explain why there is no map."""
        if not can_plot(model):
            return f"has no effect, because {type(model).__name__} has no codes of images"
        return "" if has_validation(trainer) else "draws no map: there are no validation images"

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Choose images of the first loader in the first validation."""
        if dataloader_idx or not (trainer.is_global_zero and self.every_n_epochs):
            return
        if self.chosen is not None or not can_plot(pl_module):
            return
        with warn_on_error(self, pl_module):
            x, labels = unpack_batch(batch)
            images = to_images(x.cpu()), None if labels is None else labels.cpu()
            earlier = self.candidates if batch_idx else None
            if earlier is None or earlier[0].shape[1:] == x.shape[1:]:
                self.candidates = _balanced(earlier, images, self.n)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the choice for the whole training."""
        if self.candidates and not trainer.sanity_checking:
            self.chosen, self.candidates = self.candidates, None

    def draw(self, trainer: Trainer, model: LightningModule) -> None:
        """Draw the map and log its metrics."""
        if self.chosen is None:
            return
        with sampling_mode(model, model.device, self.seed):
            points = self.points(model, model.device, *self.chosen)
        if points is None or len(points.x) < MIN_IMAGES:
            rank_zero_warn(f"LatentPlot draws no map of fewer than {MIN_IMAGES} images")
            return
        titles = []
        for name, space in points.spaces.items():
            self.maps[name] = project(
                space, self.method, self.maps.get(name), self.perplexity, self.seed, self.n_jobs
            )
            trust = trustworthiness(space, self.maps[name])
            title = f"{name}: trustworthiness {trust:.3f}"
            model.log(f"latents/{name}/trustworthiness", trust, rank_zero_only=True)
            if points.labels is not None:
                accuracy = knn_accuracy(self.maps[name], points.labels)
                title += f", 10-NN accuracy {accuracy:.3f}"
                model.log(f"latents/{name}/knn_accuracy", accuracy, rank_zero_only=True)
            titles.append(title)
        self.publish(trainer, "latents", self.plot(points, titles))

    def points(
        self, model: Any, device: torch.device, x: Images, labels: Labels | None
    ) -> "Points | None":
        """Return the points to plot, or None if the model has neither codes nor features."""
        if isinstance(model, Encodes):
            batches = _in_batches(model, device, x, labels)
            spaces = {"codes": _array(torch.cat([model.encode(part, *c) for part, c in batches]))}
            names = [] if labels is None else [str(int(label)) for label in labels.unique()]
        elif isinstance(model, Features) and isinstance(model, Samples):
            half = self.n // 2
            real = _in_batches(model, device, x[:half], None if labels is None else labels[:half])
            fake = [
                (model.sample(len(part), self.seed + i, *c), c) for i, (part, c) in enumerate(real)
            ]
            seen = [_features(model, part, c) for part, c in real + fake]
            x = torch.cat([images.cpu() for images, _ in seen])
            spaces = {"features": _array(torch.cat([features for _, features in seen]))}
            labels = torch.arange(2).repeat_interleave(len(x) // 2)
            names = ["real", "generated"]
        else:
            return None
        if self.pixels:
            spaces["pixels"] = _array(x)
        return Points(x, spaces, None if labels is None else labels.numpy(), names)

    def plot(self, points: "Points", titles: list[str]) -> Image.Image:
        """Return an image with one panel per space."""
        figure = new_figure(6 * len(titles), 6)
        panels = figure.subplots(1, len(titles), squeeze=False)[0]
        for axes, title, name in zip(panels, titles, points.spaces, strict=True):
            axes.set(title=title, xticks=[], yticks=[])
            _scatter(axes, self.maps[name], points.labels, points.names)
            if self.thumbnails:
                _add_thumbnails(axes, self.maps[name][:MAX_THUMBNAILS], points.x[:MAX_THUMBNAILS])
        return render(figure)


def can_plot(model: object) -> bool:
    """Return True if the model has codes, or features of real and generated images."""
    return isinstance(model, Encodes) or (
        isinstance(model, Features) and isinstance(model, Samples)
    )


@dataclass(frozen=True)
class Points:
    """Images as points in one or several spaces.

    Attributes:
        x: images (n, c, h, w).
        spaces: points (n, d) by the name of the space.
        labels: labels (n,), or None.
        names: names of the labels in ascending order.
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
        members = points[labels == label]
        axes.scatter(*members.T, s=3, color=f"C{color % 10}", label=name)
    axes.legend(markerscale=4, loc="best", fontsize="small")


def _add_thumbnails(axes: Any, points: Array, x: Images) -> None:
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    shown = x if x.shape[1] == 1 else to_rgb(x)
    for point, image in zip(points, to_pixels(shown).permute(0, 2, 3, 1).numpy(), strict=True):
        thumbnail = OffsetImage(image.squeeze(), zoom=14 / image.shape[0], cmap="gray_r")
        axes.add_artist(AnnotationBbox(thumbnail, point, frameon=False))


def _balanced(
    earlier: tuple[Tensor, Tensor | None] | None, new: tuple[Tensor, Tensor | None], n: int
) -> tuple[Tensor, Tensor | None]:
    """Choose n images of an earlier choice and a new batch, in turn of one class and the next.

    Batch after batch, the result is that for all batches at once: the earlier choice has the first
    images of each class in their order.
    """
    x, labels = new
    if earlier is not None and labels is not None and earlier[1] is not None:
        labels = torch.cat([earlier[1], labels])
    size = len(x) + (0 if earlier is None else len(earlier[0]))
    rank = torch.arange(size)  # within the class
    for label in [] if labels is None else labels.unique():
        members = labels == label
        rank[members] = torch.arange(int(members.sum()))
    order = rank.argsort(stable=True)[:n]
    if earlier is None:
        return x[order], None if labels is None else labels[order]
    if int(order.max()) < len(earlier[0]):
        return earlier
    return torch.cat([earlier[0], x])[order], None if labels is None else labels[order]


def _in_batches(
    model: object, device: torch.device, x: Images, labels: Labels | None
) -> list[tuple[Tensor, tuple[Tensor, ...]]]:
    """Split images, and the labels of a conditional model, into batches of nearly equal size."""
    batches = -(-len(x) // BATCH)  # equal, so that the last one is not too small for `pack`
    c = [y.chunk(batches) for y in labels_for(model, labels)]
    return [
        (part.to(device), tuple(y[i].to(device) for y in c))
        for i, part in enumerate(x.chunk(batches))
    ]


def _features(model: Features, x: Tensor, c: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Return features, and the image of each; a pack of images is shown by its first."""
    features = model.features(x, *c)
    return x[:: len(x) // max(len(features), 1)][: len(features)], features


def _array(x: Tensor) -> Array:
    return x.flatten(1).float().cpu().numpy()
