"""Image files of two unpaired domains, as for CycleGAN."""

from typing import Literal, get_args

from lightning_gen.datamodules.domain_folders import Paths
from lightning_gen.datamodules.domain_readers import SingleReader
from lightning_gen.datamodules.domains import Unpaired
from lightning_gen.datamodules.translation import (
    TranslationArguments,
    TranslationDataModule,
)
from lightning_gen.errors import reject_unknown, require_one_of
from lightning_gen.images.resizing import Resizing
from lightning_gen.types import Unpack

PublicDomains = Literal[
    "ae_photos",
    "apple2orange",
    "cezanne2photo",
    "facades",
    "horse2zebra",
    "iphone2dslr_flower",
    "maps",
    "mini",
    "monet2photo",
    "summer2winter_yosemite",
    "ukiyoe2photo",
    "vangogh2photo",
]


class UnpairedImageDataModule(TranslationDataModule):
    """Images of two domains, each image of A with any image of B.

    The larger domain determines the length of an epoch; the images of the other repeat. The image
    of B is random in training, and that of the same index in validation and test.

    The training images are in `root/trainA` and `root/trainB`, `root/train/A` and `root/train/B`,
    `root/A/train` and `root/B/train`, or `root/A` and `root/B`. `val` and `test` in place of
    `train` contain the other splits; names may be in upper or lower case, and synonyms such as
    validation are known. Subfolders are included.

    Args:
        root: path of the folder, or with `name`, of its parent folder.
        name: name of a public data set, downloaded to `root` if it is missing; the data sets with
            both a paired and an unpaired version (facades, maps) need separate roots.
        serial: if True, train on both domains in order instead of at random.
        translation: arguments of `TranslationDataModule`, such as `image_size` and `flip`.

    Raises:
        ArgumentError: an argument is out of its range, or `root` does not contain the folders.
        DataError: files cannot be read.
    """

    paired = False
    archive = "cyclegan/datasets/{}.zip"

    def __init__(
        self,
        root: str = "data",
        name: PublicDomains | None = None,
        serial: bool = False,
        **translation: Unpack[TranslationArguments],
    ) -> None:
        reject_unknown(type(self), translation, TranslationArguments.__annotations__)
        if name:
            require_one_of(get_args(PublicDomains), name=name)
        super().__init__(root, name, **translation)
        self.serial = serial
        self.save_hyperparameters()

    def images(self, paths: Paths, resizing: Resizing, flip: bool) -> Unpaired:
        """Return the data set of the images in these files."""
        a, b = (
            self.crops(files, SingleReader(domain, resizing), resizing, flip)
            for files, domain in zip(paths, self.domains, strict=True)
        )
        return Unpaired(a, b, self.serial)
