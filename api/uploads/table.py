"""Checks an uploaded table: what it is to be learnt from, what is wrong with it, and what it becomes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from api.uploads.checked import CheckedTable, Limits, Report, TargetColumn, refuse_others
from api.uploads.columns import MISSING_CODE, ColumnScan, Use
from api.uploads.encode import Parts, describe, write_arrays, write_preview
from api.uploads.options import UploadOptions
from api.uploads.scan import Scan, check_names, scanned
from api.uploads.split import shuffled
from api.uploads.target import target_of
from jobs.columns import MISSING_MARKERS, CategoricalColumn, Column, LeftOutColumn, NumericColumn, RowEncoding
from jobs.encoding import MOST_FAULTS, MOST_WIDTH
from jobs.faults import Fault, InvalidUpload
from store.dataset_files import write_sources


def check_table(path: Path, options: UploadOptions, *, into: Path, limits: Limits) -> CheckedTable:
    """Read a CSV or a Parquet file, and write `train_x`, `train_y`, `test_x`, `test_y` as .npy files into a folder.

    x are float32 [N, width]; y int32 [N] for classes, float32 [N, targets], standardised, for regression.

    Raises:
        InvalidUpload: it cannot be learnt from as it is. Names every fault, up to `MOST_FAULTS`.
    """
    refuse_others(options.of_pictures, kind="pictures", found="a table")
    markers = (*MISSING_MARKERS, *options.missing)
    with scanned(
        path,
        scratch=into,
        most_bytes=limits.most_bytes,
        uses=_uses(options),
        targets=options.targets,
        target_use=_target_use(options),
        ignore=options.ignore,
        markers=markers,
    ) as scan:
        names = tuple(column.name for column in scan.columns)
        check_names(options.ignore, names)
        _check_uses(options)
        targets = options.targets or tuple(name for name in names if name not in options.ignore)[-1:]
        if not set(names).difference(targets, options.ignore):
            raise InvalidUpload("no column is left to learn from")
        used = [index for index, name in enumerate(names) if name not in options.ignore]
        kept, faults, total = _without_faults(scan, used, targets, skip=options.on_bad == "skip")
        target = target_of(scan, targets, kept, task=options.task)
        parts = _split(kept, target.groups, options)
        columns = tuple(_column(scan, index, parts, targets, options.ignore) for index in range(len(names)))
        encoding = RowEncoding(columns=columns, missing_markers=markers)
        _check_size(encoding, rows=len(kept), most_bytes=limits.most_encoded_bytes)
        encoded = target.encoded(parts.train)
        write_arrays(scan, encoding, parts, encoded.values, into=into)
        write_sources(into, (f"row {number}" for number in scan.row_numbers[parts.test].tolist()))
        write_preview(scan, parts, [name for name in names if name not in options.ignore], into=into)
        known = tuple(TargetColumn(name=name, mean=mean, std=std) for name, mean, std in encoded.moments)
        duplicates, across = _duplicates(scan, parts)
        constant, unique = _curious(scan, columns, kept)
        report = Report(
            skipped=scan.rows - len(kept) + scan.ragged.total,
            faults=faults,
            faults_total=total,
            duplicates=duplicates,
            train_test_duplicates=across,
            constant_columns=constant,
            unique_columns=unique,
            class_counts=target.class_counts,
        )
        return CheckedTable(
            task=target.task,
            encoding=encoding,
            classes=target.classes,
            targets=known or None,
            train_examples=len(parts.train),
            test_examples=len(parts.test),
            report=report,
        )


def _check_uses(options: UploadOptions) -> None:
    """Raise InvalidUpload for a column that is to be two things at once."""
    pairs = (
        ("target", options.targets, "ignore", options.ignore),
        ("numeric", options.numeric, "categorical", options.categorical),
    )
    for one, columns, other, others in pairs:
        if both := [name for name in columns if name in others]:
            raise InvalidUpload(f"the column {both[0]!r} is named by {one} and by {other}")


def _uses(options: UploadOptions) -> dict[str, Use]:
    uses: dict[str, Use] = dict.fromkeys(options.numeric, "numeric")
    uses |= dict.fromkeys(options.categorical, "categorical")
    return uses


def _target_use(options: UploadOptions) -> Use:
    if options.task == "regression" or len(options.targets) > 1:
        return "numeric"
    return "categorical" if options.task == "classification" else "auto"


def _without_faults(
    scan: Scan, used: list[int], targets: tuple[str, ...], *, skip: bool
) -> tuple[NDArray[np.intp], tuple[Fault, ...], int]:
    """Rows without a fault, the first faults, and how many there are in all.

    Raises:
        InvalidUpload: there are faults and they are not to be skipped, or no row is left.
    """
    bad = np.zeros(scan.rows, bool)
    faults = list(scan.ragged.named)
    total = scan.ragged.total
    for index in used:
        column = scan.columns[index]
        wrong = np.zeros(scan.rows, bool)
        if column.is_numeric:
            wrong = np.isinf(scan.numbers_of(index))
            faults += column.no_numbers
        if column.name in targets:
            wrong |= _missing(scan, index, column)
            faults += column.missing
        total += int(wrong.sum())
        bad |= wrong
    named = tuple(sorted(faults, key=lambda fault: (fault.row or 0, fault.column or ""))[:MOST_FAULTS])
    if total and not skip:
        raise InvalidUpload("", named, total=total)
    kept = np.flatnonzero(~bad)
    if not kept.size:
        raise InvalidUpload("no row is left" if total else "the table has a header and no rows", named, total=total)
    return kept, named, total


def _missing(scan: Scan, index: int, column: ColumnScan) -> NDArray[np.bool_]:
    if column.is_numeric:
        return np.isnan(scan.numbers_of(index))
    return scan.codes_of(index) == MISSING_CODE


def _split(kept: NDArray[np.intp], groups: NDArray[np.int32], options: UploadOptions) -> Parts:
    order = kept[shuffled(groups, seed=options.split_seed)]
    testing = round(len(order) * options.test_split)
    if not 0 < testing < len(order):
        detail = f"of {len(order)} rows, test_split={options.test_split:g} leaves {testing} for testing"
        raise InvalidUpload(f"{detail}; there must be some for it and for training")
    return Parts(train=order[: len(order) - testing], test=order[len(order) - testing :])


def _column(scan: Scan, index: int, parts: Parts, targets: tuple[str, ...], ignore: tuple[str, ...]) -> Column:
    name = scan.columns[index].name
    if name in targets:
        return LeftOutColumn(name=name, reason="target")
    if name in ignore:
        return LeftOutColumn(name=name, reason="ignored")
    return describe(scan, index, parts.train)


def _check_size(encoding: RowEncoding, *, rows: int, most_bytes: int) -> None:
    """Raise InvalidUpload where the arrays would be too large, or empty."""
    if not encoding.width:
        reasons = ", ".join(f"{c.name!r}: {c.reason}" for c in encoding.columns if isinstance(c, LeftOutColumn))
        raise InvalidUpload(f"no column is left to learn from ({reasons})")
    if encoding.width > MOST_WIDTH:
        raise InvalidUpload(f"an encoded row would have {encoding.width:,} values; at most {MOST_WIDTH:,} are taken")
    if (size := 4 * encoding.width * rows) > most_bytes:
        raise InvalidUpload(f"encoded, the table takes {size:,} bytes; at most {most_bytes:,} are taken")


def _duplicates(scan: Scan, parts: Parts) -> tuple[int, int]:
    """Rows that are the same as an earlier one, and test rows that are the same as a training row."""
    train, test = scan.hashes[parts.train], scan.hashes[parts.test]
    count = len(train) + len(test)
    return count - len(np.unique(np.concatenate([train, test]))), int(np.isin(test, train).sum())


def _are_whole(numbers: NDArray[np.float64]) -> bool:
    return bool((numbers == np.round(numbers)).all())


def _curious(
    scan: Scan, columns: tuple[Column, ...], kept: NDArray[np.intp]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns that are the same in every row, and columns of whole numbers that are another one in every row."""
    constant: list[str] = []
    unique: list[str] = []
    for index, column in enumerate(columns):
        if isinstance(column, NumericColumn):
            different = len(np.unique(scan.numbers_of(index)[kept]))
        elif isinstance(column, CategoricalColumn):
            different = len(np.unique(scan.codes_of(index)[kept]))
        else:
            continue
        if different == 1:
            constant.append(column.name)
        elif different == len(kept) and isinstance(column, NumericColumn) and _are_whole(scan.numbers_of(index)[kept]):
            unique.append(column.name)
    return tuple(constant), tuple(unique)
