"""Pictures in pairs, A and B alike in shape: the data of pix2pix."""

from typing import Any, Literal, get_args

from lightning_gen.datamodules.domain_folders import Paths, find_pairs
from lightning_gen.datamodules.domain_readers import PairedReader
from lightning_gen.datamodules.domains import Pairs
from lightning_gen.datamodules.translation import TranslationDataModule
from lightning_gen.errors import require_one_of
from lightning_gen.images.resizing import Resizing

PublicPairs = Literal["edges2handbags", "edges2shoes", "facades", "maps", "night2day"]


class PairedImageDataModule(TranslationDataModule):
    """Pictures in pairs, side by side in one file or in two of one name, cropped and flipped alike.

    The training pairs are `root/train/*`, A the left half and B the right; or they are in
    `root/A/train` and `root/B/train`, `root/train/A` and `root/train/B`, `root/trainA` and
    `root/trainB`, or `root/A` and `root/B`, in files of one name each, the endings aside. `val` and
    `test` take the place of `train` for the other splits. A folder's own folders belong to it.

    Args:
        root: the folder, or with `name`, the one that holds it.
        name: a public set, of that name in `root`, and downloaded there if it is missing; those
            that exist in pairs and not (facades, maps) need a `root` for each.
        translation: the arguments of `TranslationDataModule`, such as `image_size` and `flip`.

    Raises:
        ArgumentError: an argument is out of its range, or `root` does not hold the folders.
        DataError: files cannot be read, have no partner, or not its size.
    """

    archive = "pix2pix/datasets/{}.tar.gz"

    def __init__(
        self, root: str = "data", name: PublicPairs | None = None, **translation: Any
    ) -> None:
        if name:
            require_one_of(get_args(PublicPairs), name=name)
        super().__init__(root, name, **translation)
        self.save_hyperparameters()

    def find(self) -> dict[str, Paths]:
        """The pictures of each split that there is."""
        return find_pairs(self.folder, self.skip)

    def images(self, paths: Paths, resizing: Resizing, flip: bool) -> Pairs:
        """The pairs in these files."""
        pairs = list(zip(*paths, strict=True))
        return Pairs(self.crops(pairs, PairedReader(*self.domains, resizing), resizing, flip))
