"""The catalogue."""

import pytest

from jobs.datasets import CATALOGUE, find
from jobs.errors import UnknownDataset


def test_every_dataset_is_found_by_its_name() -> None:
    assert {name: find(name).name for name in CATALOGUE} == {name: name for name in CATALOGUE}
    assert find("mnist").values == 784


def test_an_unknown_one_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownDataset, match="known here: mnist, mnist-10k") as caught:
        find("imagenet")
    assert (caught.value.code, caught.value.pointer) == ("unknown_dataset", "/dataset")
