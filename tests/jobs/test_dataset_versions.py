"""Names and records of dataset versions."""

import pytest

from jobs.dataset_versions import DatasetNotFound, DatasetRef, InvalidDatasetName, check_name


@pytest.mark.parametrize("name", ["a", "iris", "customer-17.2026_11", "0", "a" * 64])
def test_a_name_is_read_alone_and_with_a_version(name: str) -> None:
    check_name(name)
    assert DatasetRef.read(name) == DatasetRef(name, None)
    assert DatasetRef.read(f"{name}@12") == DatasetRef(name, 12)
    assert str(DatasetRef(name, 12)) == f"{name}@12"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a b", "A", "ä", "a@1", "a:b", "a\n", "-a", "a" * 65, "a\0", "%2e", "*"]
)
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidDatasetName):
        check_name(name)
    if "@" not in name:
        with pytest.raises(DatasetNotFound):
            DatasetRef.read(name)


@pytest.mark.parametrize("version", ["", "0", "01", "-1", "1.0", "1e3", " 1", "9999999999", "x", "1@2"])
def test_what_cannot_be_a_version_is_not_found(version: str) -> None:
    with pytest.raises(DatasetNotFound):
        DatasetRef.read(f"iris@{version}")


@pytest.mark.parametrize("name", ["mnist", "mnist-10k"])
def test_built_in_names_are_taken(name: str) -> None:
    with pytest.raises(InvalidDatasetName, match="built-in"):
        check_name(name)
