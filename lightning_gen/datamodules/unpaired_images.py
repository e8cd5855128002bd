"""Pictures of two domains that are no pairs: the data of CycleGAN."""

from typing import Any, Literal, get_args

from lightning_gen.datamodules.domain_folders import Paths, find_domains
from lightning_gen.datamodules.domain_readers import SingleReader
from lightning_gen.datamodules.domains import Unpaired
from lightning_gen.datamodules.translation import TranslationDataModule
from lightning_gen.errors import require_one_of
from lightning_gen.images.resizing import Resizing

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
    """Pictures of two domains, each of A with any of B.

    An epoch has as many images as the larger domain; those of the other repeat. In training, the
    image of B is any, in validation and test the one at the same place.

    The training pictures are in `root/trainA` and `root/trainB`, `root/train/A` and
    `root/train/B`, `root/A/train` and `root/B/train`, or `root/A` and `root/B`. `val` and `test`
    take the place of `train` for the other splits. A folder's own folders belong to it.

    Args:
        root: the folder, or with `name`, the one that holds it.
        name: a public set, of that name in `root`, and downloaded there if it is missing; those
            that exist in pairs and not (facades, maps) need a `root` for each.
        serial: whether training goes through both domains in order, instead of at random.
        translation: the arguments of `TranslationDataModule`, such as `image_size` and `flip`.

    Raises:
        ArgumentError: an argument is out of its range, or `root` does not hold the folders.
        DataError: files cannot be read.
    """

    archive = "cyclegan/datasets/{}.zip"

    def __init__(
        self,
        root: str = "data",
        name: PublicDomains | None = None,
        serial: bool = False,
        **translation: Any,
    ) -> None:
        if name:
            require_one_of(get_args(PublicDomains), name=name)
        super().__init__(root, name, **translation)
        self.serial = serial
        self.save_hyperparameters()

    def find(self) -> dict[str, Paths]:
        """The pictures of each split that there is."""
        return find_domains(self.folder)

    def images(self, paths: Paths, resizing: Resizing, flip: bool) -> Unpaired:
        """The pictures in these files."""
        a, b = (
            self.crops(files, SingleReader(domain, resizing), resizing, flip)
            for files, domain in zip(paths, self.domains, strict=True)
        )
        return Unpaired(a, b, self.serial)
