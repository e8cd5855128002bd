"""Image files in pairs, as for pix2pix."""

from typing import Literal, get_args

from lightning_gen.datamodules.domain_folders import Paths
from lightning_gen.datamodules.domain_readers import PairedReader
from lightning_gen.datamodules.domains import Pairs
from lightning_gen.datamodules.translation import (
    TranslationArguments,
    TranslationDataModule,
)
from lightning_gen.errors import reject_unknown, require_one_of
from lightning_gen.images.resizing import Resizing
from lightning_gen.types import Unpack

PublicPairs = Literal["edges2handbags", "edges2shoes", "facades", "maps", "night2day"]


class PairedImageDataModule(TranslationDataModule):
    """Pairs of images, side by side in one file or in two files of the same name.

    The images of a pair are cropped and flipped alike. The training pairs are `root/train/*`, with
    A in the left half and B in the right; or they are in `root/A/train` and `root/B/train`,
    `root/train/A` and `root/train/B`, `root/trainA` and `root/trainB`, or `root/A` and `root/B`,
    in files of the same name, except for the extension. `val` and `test` in place of `train`
    contain the other splits; names may be in upper or lower case, and synonyms such as
    validation are known. Subfolders are included.

    Args:
        root: path of the folder, or with `name`, of its parent folder.
        name: name of a public data set, downloaded to `root` if it is missing; the data sets with
            both a paired and an unpaired version (facades, maps) need separate roots.
        translation: arguments of `TranslationDataModule`, such as `image_size` and `flip`.

    Raises:
        ArgumentError: an argument is out of its range, or `root` does not contain the folders.
        DataError: files cannot be read, or the images of a pair differ in size or have no partner.
    """

    paired = True
    archive = "pix2pix/datasets/{}.tar.gz"

    def __init__(
        self,
        root: str = "data",
        name: PublicPairs | None = None,
        **translation: Unpack[TranslationArguments],
    ) -> None:
        reject_unknown(type(self), translation, TranslationArguments.__annotations__)
        if name:
            require_one_of(get_args(PublicPairs), name=name)
        super().__init__(root, name, **translation)
        self.save_hyperparameters()

    def images(self, paths: Paths, resizing: Resizing, flip: bool) -> Pairs:
        """Return the data set of the pairs in these files."""
        pairs = list(zip(*paths, strict=True))
        return Pairs(self.crops(pairs, PairedReader(*self.domains, resizing), resizing, flip))
