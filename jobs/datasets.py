"""What is known of a dataset without opening it, and the built-in ones."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jobs.errors import UnknownDataset

Kind = Literal["images", "table", "arrays"]
DType = Literal["uint8", "float32"]
Task = Literal["classification", "regression"]


class Target(NamedTuple):
    """A number to be told from the features. The network learns (value - mean) / std."""

    name: str
    mean: float
    std: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInfo:
    """Counts and shapes. Images are uint8, `shape` is (height, width, channels); rows of a table are float32, (width,);
    arrays are of any shape, and uint8 or, standardised, float32.

    Labels are 0 … `outputs` - 1; targets of regression are float32, standardised.
    """

    name: str
    description: str = ""
    kind: Kind = "images"
    shape: tuple[int, ...]
    """Of one example."""
    classes: tuple[str, ...] = ()
    """Names of the classes, in their order; none for regression."""
    targets: tuple[Target, ...] = ()
    """What regression tells; none for classification."""
    train_examples: int
    validation_examples: int = 0
    """Examples that were brought to validate on; none are held out of the others then."""
    test_examples: int
    array_dtype: DType = "float32"
    """Of the values of an array."""

    @property
    def task(self) -> Task:
        """What is to be learnt."""
        return "regression" if self.targets else "classification"

    @property
    def outputs(self) -> int:
        """Values that a network gives for an example: one a class or target."""
        return len(self.targets) or len(self.classes)

    @property
    def values(self) -> int:
        """Values of one example."""
        return math.prod(self.shape)

    @property
    def examples(self) -> int:
        """All of them."""
        return self.train_examples + self.validation_examples + self.test_examples

    @property
    def dtype(self) -> DType:
        """Of an example's values."""
        if self.kind == "arrays":
            return self.array_dtype
        return "uint8" if self.kind == "images" else "float32"

    @property
    def example_bytes(self) -> int:
        """Memory of an example's values."""
        return self.values * (1 if self.dtype == "uint8" else 4)

    @property
    def answer_bytes(self) -> int:
        """Memory of an example's label, or of its targets."""
        return 4 * max(1, len(self.targets))


DIGITS = tuple("0123456789")

CATALOGUE: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            name="mnist-10k",
            description="10,000 handwritten digits, split 9,000 / 1,000; comes with the package. "
            "The test file of MNIST by LeCun, Cortes and Burges.",
            shape=(28, 28, 1),
            classes=DIGITS,
            train_examples=9_000,
            test_examples=1_000,
        ),
        DatasetInfo(
            name="mnist",
            description="70,000 handwritten digits, split 60,000 / 10,000; fetched at first use. "
            "MNIST by LeCun, Cortes and Burges.",
            shape=(28, 28, 1),
            classes=DIGITS,
            train_examples=60_000,
            test_examples=10_000,
        ),
    )
}


def find(name: str) -> DatasetInfo:
    """Look a built-in dataset up. Raises UnknownDataset naming the known ones."""
    try:
        return CATALOGUE[name]
    except KeyError:
        raise UnknownDataset(name, known=sorted(CATALOGUE)) from None
