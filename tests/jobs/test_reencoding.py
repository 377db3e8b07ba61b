"""Stored examples become what another dataset's encoder would have made of the raw ones."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.columns import CategoricalColumn, LeftOutColumn, NumericColumn, RowEncoding
from jobs.datasets import DatasetInfo, Target
from jobs.encoding import ArrayEncoder, RowEncoder
from jobs.errors import InvalidSpec
from jobs.inputs import ArrayEncoding
from jobs.model_encoding import ModelEncoding
from jobs.reencoding import Reencoder, adopted, check_outputs, info_with

TEXTS = st.lists(st.sampled_from("ABCDEFG"), min_size=1, max_size=5, unique=True)
NUMBERS = st.floats(-1000, 1000)


def numeric(name: str, *, mean: float = 0.0, std: float = 1.0, missing: bool = False) -> NumericColumn:
    return NumericColumn(name=name, mean=mean, std=std, missing=missing)


def categorical(name: str, *texts: str, missing: bool = False) -> CategoricalColumn:
    return CategoricalColumn(name=name, categories=texts, missing=missing)


def of_rows(*columns: Any, targets: tuple[Target, ...] = (), markers: tuple[str, ...] = ("", "NA")) -> ModelEncoding:
    rows = RowEncoding(columns=columns, missing_markers=markers)
    classes = () if targets else ("no", "yes")
    info = DatasetInfo(
        name="d", kind="table", shape=(rows.width,), classes=classes, targets=targets, train_examples=1, test_examples=1
    )
    return ModelEncoding.of(info, rows=rows)


def turned(own: ModelEncoding, given: ModelEncoding, rows: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """What stored rows become, and what the other encoder makes of the raw ones."""
    new = adopted(own, given, dataset="wine@2", source="job_A")
    assert own.rows
    assert new.rows
    stored, wanted = (RowEncoder(each) for each in (own.rows, new.rows))
    x = stored.encode(stored.read(rows))
    return Reencoder(own, new).examples(x), wanted.encode(wanted.read(rows))


@st.composite
def tables(draw: Any) -> tuple[ModelEncoding, ModelEncoding, list[dict[str, Any]]]:
    """Two encodings of the same columns, and rows of the first one's dataset: what its markers say is missing, it has
    seen as such."""
    own: list[Any] = []
    given: list[Any] = []
    cells: dict[str, Any] = {}
    for n in range(draw(st.integers(1, 4))):
        name = f"c{n}"
        missing = draw(st.booleans())
        if draw(st.booleans()):
            for columns, has in ((own, missing), (given, draw(st.booleans()))):
                mean, std = draw(NUMBERS), draw(st.floats(0.5, 50))
                columns.append(numeric(name, mean=mean, std=std, missing=has))
            there: Any = NUMBERS
        else:
            texts = draw(TEXTS)
            own.append(categorical(name, *texts, missing=missing))
            given.append(categorical(name, *draw(TEXTS), missing=draw(st.booleans())))
            there = st.sampled_from(texts)
        cells[name] = st.one_of(there, st.sampled_from([None, "NA"])) if missing else there
    own.insert(draw(st.integers(0, len(own))), LeftOutColumn(name="y", reason="target"))
    given = draw(st.permutations(given))
    rows = draw(st.lists(st.fixed_dictionaries({**cells, "y": st.just("yes")}), min_size=1, max_size=8))
    return of_rows(*own), of_rows(*given), rows


@given(tables())
@settings(max_examples=150, deadline=None)
def test_stored_rows_become_what_the_other_encoder_makes_of_raw_ones(
    table: tuple[ModelEncoding, ModelEncoding, list[dict[str, Any]]],
) -> None:
    found, wanted = turned(*table)
    # A stored number has float32's digits, of up to 4,000 deviations of at most 100 times the others.
    np.testing.assert_allclose(found, wanted, atol=0.05, rtol=1e-4)


def test_missing_numbers_are_the_others_mean_and_marked_where_that_marks_them() -> None:
    own = of_rows(numeric("a", mean=10, std=2, missing=True))
    rows = [{"a": 14.0}, {"a": None}]
    found, wanted = turned(own, of_rows(numeric("a", mean=4, std=5, missing=True)), rows)
    assert found.tolist() == wanted.tolist() == [[2, 0], [0, 1]]
    found, wanted = turned(own, of_rows(numeric("a", mean=4, std=5)), rows)
    assert found.tolist() == wanted.tolist() == [[2], [0]]


def test_new_texts_are_unseen_and_markers_of_the_other_are_missing() -> None:
    own = of_rows(categorical("t", "new", "x", "?"), markers=("",))
    given = of_rows(categorical("t", "x", "y", missing=True), markers=("", "?"))
    found, wanted = turned(own, given, [{"t": "new"}, {"t": "x"}, {"t": "?"}])
    assert found.tolist() == wanted.tolist() == [[0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]]


def test_numbers_that_the_other_takes_for_missing_are() -> None:
    own = of_rows(numeric("a", mean=-100, std=300))
    given = of_rows(numeric("a", mean=1, std=1, missing=True), markers=("", "-999"))
    found, wanted = turned(own, given, [{"a": -999}, {"a": 3}])
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert found[0].tolist() == [0, 1]


def test_columns_that_the_other_did_not_have_are_left_out_and_may_be_brought() -> None:
    own = of_rows(numeric("b", mean=1), numeric("a"), LeftOutColumn(name="y", reason="target"))
    new = adopted(own, of_rows(numeric("a", mean=5, std=2)), dataset="wine@2", source="job_A")
    assert new.shape == (1,)
    assert new.rows
    assert [(column.name, column.width) for column in new.rows.columns] == [("a", 1), ("b", 0), ("y", 0)]
    encoder = RowEncoder(new.rows)
    assert encoder.encode(encoder.read([{"a": 7, "b": 1, "y": "no"}, {"a": 5}])).tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (of_rows(numeric("b")), "'a', which wine@2 does not have"),
        (of_rows(categorical("a", "x")), "column 'a' is numeric in job_A, and categorical in wine@2"),
        (of_rows(numeric("b"), LeftOutColumn(name="a", reason="ignored")), "'a', which wine@2 leaves out (ignored)"),
        (
            ModelEncoding.of(DatasetInfo(name="d", shape=(2, 2, 1), classes=("a",), train_examples=1, test_examples=1)),
            "job_A learnt rows of a table, and wine@2 has images",
        ),
    ],
)
def test_data_that_lack_what_was_learnt_are_refused_by_name(own: ModelEncoding, said: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        adopted(own, of_rows(numeric("a")), dataset="wine@2", source="job_A")
    assert said in str(refused.value)
    assert refused.value.pointer == "/init_from"


def test_targets_are_standardised_by_the_others_deviations() -> None:
    own = of_rows(numeric("a"), targets=(Target("price", 10, 2),))
    given = of_rows(numeric("a"), targets=(Target("price", 0, 4),))
    y = np.array([[0.0], [1.0]], np.float32)
    assert Reencoder(own, given).targets(y).tolist() == [[2.5], [3.0]]
    assert Reencoder(own, own).targets(y) is y
    info = info_with(DatasetInfo(name="d", kind="table", shape=(3,), train_examples=1, test_examples=1), given)
    assert (info.shape, info.targets) == ((1,), given.targets)


def test_other_classes_or_targets_are_refused_by_the_layer_that_tells_them() -> None:
    classes = of_rows(numeric("a"))
    others = classes.model_copy(update={"classes": ("yes", "no")})
    check_outputs(classes, classes, dataset="wine@2", source="job_A", layer="output")
    with pytest.raises(InvalidSpec, match=r"wine@2 has the classes yes, no, and job_A tells the classes no, yes"):
        check_outputs(others, classes, dataset="wine@2", source="job_A", layer="output")
    numbers = of_rows(numeric("a"), targets=(Target("no", 0, 1), Target("yes", 0, 1)))
    with pytest.raises(InvalidSpec, match="reinitialize 'output'"):
        check_outputs(numbers, classes, dataset="wine@2", source="job_A", layer="output")


def of_arrays(shape: tuple[int, ...], encoding: ArrayEncoding | None) -> ModelEncoding:
    info = DatasetInfo(
        name="d",
        kind="arrays",
        shape=shape,
        classes=("a", "b"),
        train_examples=1,
        test_examples=1,
        array_dtype="float32" if encoding else "uint8",
    )
    return ModelEncoding.of(info, arrays=encoding)


@pytest.mark.parametrize("own_count", [2, 6])
@pytest.mark.parametrize("given_count", [2, 6])
def test_arrays_become_what_the_other_encoder_makes_of_raw_ones(own_count: int, given_count: int) -> None:
    rng = np.random.default_rng(1)
    raw = rng.normal(3, 2, (5, 3, 2))
    encodings = [
        ArrayEncoding(mean=tuple(rng.normal(size=count)), std=tuple(rng.uniform(0.5, 2, count)))
        for count in (own_count, given_count)
    ]
    own, given = (of_arrays((3, 2), encoding) for encoding in encodings)
    x = ArrayEncoder(encodings[0], (3, 2)).encode(raw).reshape(5, 6)
    wanted = ArrayEncoder(encodings[1], (3, 2)).encode(raw).reshape(5, 6)
    new = adopted(own, given, dataset="d", source="s")
    np.testing.assert_allclose(Reencoder(own, new).examples(x), wanted, atol=1e-5)


def test_arrays_of_bytes_become_numbers_where_those_were_learnt_and_never_the_other_way() -> None:
    encoding = ArrayEncoding(mean=(100.0, 100.0), std=(50.0, 50.0))
    bytes_, numbers = of_arrays((2,), None), of_arrays((2,), encoding)
    new = adopted(bytes_, numbers, dataset="d", source="s")
    assert new.dtype == "float32"
    assert Reencoder(bytes_, new).examples(np.array([[0, 200]], np.uint8)).tolist() == [[-2, 2]]
    with pytest.raises(InvalidSpec, match="arrays of bytes"):
        adopted(numbers, bytes_, dataset="d", source="s")
    with pytest.raises(InvalidSpec, match="arrays of 2, and d has some of 3"):
        adopted(of_arrays((3,), None), numbers, dataset="d", source="s")


def test_the_same_encoding_leaves_the_same_object() -> None:
    own = of_rows(numeric("a"))
    x = np.zeros((2, 1), np.float32)
    assert Reencoder(own, own).examples(x) is x
