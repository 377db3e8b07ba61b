"""The catalogue of datasets: what is known of each without opening it."""

from dataclasses import dataclass

from jobs.errors import UnknownDataset


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """Counts and shapes. Images are uint8, `height` x `width` x `channels`; labels are 0 … `classes` - 1."""

    name: str
    description: str
    train_examples: int
    test_examples: int
    height: int
    width: int
    channels: int
    classes: int

    @property
    def pixels(self) -> int:
        """Values of one image."""
        return self.height * self.width * self.channels


CATALOGUE: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            name="mnist-10k",
            description="10,000 handwritten digits, split 9,000 / 1,000; comes with the package. "
            "The test file of MNIST by LeCun, Cortes and Burges.",
            train_examples=9_000,
            test_examples=1_000,
            height=28,
            width=28,
            channels=1,
            classes=10,
        ),
        DatasetInfo(
            name="mnist",
            description="70,000 handwritten digits, split 60,000 / 10,000; fetched at first use. "
            "MNIST by LeCun, Cortes and Burges.",
            train_examples=60_000,
            test_examples=10_000,
            height=28,
            width=28,
            channels=1,
            classes=10,
        ),
    )
}


def find(name: str) -> DatasetInfo:
    """Look a dataset up. Raises UnknownDataset naming the known ones."""
    try:
        return CATALOGUE[name]
    except KeyError:
        raise UnknownDataset(name, known=sorted(CATALOGUE)) from None
