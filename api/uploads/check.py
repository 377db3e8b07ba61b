"""`python -P -m api.uploads.check`: checks one upload in a process of its own, and tells what it found.

Takes its order as a line of JSON on standard input and answers with one on standard output, after lines of
progress. It runs at a low priority, in bounded memory, and ends when its input does: with whoever waits for the answer.
"""

import os
import resource
import sys
import threading
import traceback
from pathlib import Path

from pydantic import BaseModel

from api.uploads.archived import check_archive
from api.uploads.archives import is_archive
from api.uploads.checked import AnyChecked, CheckedArrays, CheckedImages, CheckedTable, Limits, Progress
from api.uploads.options import UploadOptions
from api.uploads.table import check_table
from api.uploads.weights import check_weights
from jobs.escapes import escaped
from jobs.faults import Fault, InvalidUpload

NICENESS = 10


class Order(BaseModel):
    """What to check."""

    path: Path
    into: Path
    options: UploadOptions | None
    """How a dataset is to be read; None for weights."""
    most_bytes: int
    most_encoded_bytes: int
    memory_bytes: int
    """What the process may take beyond what it maps to files."""


class Answer(BaseModel):
    """What was found: a dataset, or weights, or why it is none."""

    found: AnyChecked | None = None
    detail: str = ""
    faults: tuple[Fault, ...] = ()
    faults_total: int = 0
    progress: float | None = None
    """Which share is done; of an answer before the last."""
    storage: str = ""
    """What keeps the disk from taking its arrays, which is no fault of the upload."""
    surprise: str = ""
    """The traceback of what nobody thought of."""


def main() -> None:
    """Check one upload."""
    os.nice(NICENESS)
    order = Order.model_validate_json(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    resource.setrlimit(resource.RLIMIT_DATA, (order.memory_bytes, order.memory_bytes))
    sys.stdout.write(answer_to(order, progress=_tell).model_dump_json() + "\n")


def _tell(progress: float) -> None:
    sys.stdout.write(Answer(progress=progress).model_dump_json(exclude_defaults=True) + "\n")
    sys.stdout.flush()


def answer_to(order: Order, *, progress: Progress = lambda _: None) -> Answer:
    """What was found."""
    limits = Limits(order.most_bytes, order.most_encoded_bytes)
    try:
        if order.options is None:
            return Answer(found=check_weights(order.path, into=order.into, most_bytes=order.most_encoded_bytes))
        return Answer(found=check_upload(order.path, order.options, into=order.into, limits=limits, progress=progress))
    except InvalidUpload as error:
        return Answer(detail=error.detail, faults=error.faults, faults_total=error.total)
    except OSError as error:
        return Answer(storage=error.strerror or str(error))
    except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError) as error:
        # Of a library, for what nobody thought of: no reason to end and be asked again.
        detail = f"the upload cannot be read: {escaped(str(error))[:200] or type(error).__name__}"
        return Answer(detail=detail, surprise=traceback.format_exc()[-4000:])
    except MemoryError:
        return Answer(detail=f"checking the upload takes more than {order.memory_bytes >> 20:,} MiB of memory")


def check_upload(
    path: Path, options: UploadOptions, *, into: Path, limits: Limits, progress: Progress = lambda _: None
) -> CheckedTable | CheckedImages | CheckedArrays:
    """Check an upload by what it is, and write its arrays into a folder.

    Raises:
        InvalidUpload: it cannot be learnt from as it is.
    """
    if is_archive(path):
        return check_archive(path, options, into=into, limits=limits, progress=progress)
    return check_table(path, options, into=into, limits=limits)


def _end_with_input() -> None:
    # Not by `sys.stdin`: Python could not end while a thread reads that.
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
