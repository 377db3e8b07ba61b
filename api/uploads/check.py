"""`python -P -m api.uploads.check`: checks one upload in a process of its own, and tells what it found.

Takes its order as a line of JSON on standard input and answers with one on standard output. It runs at a low priority,
in bounded memory, and ends when its input does: with whoever waits for the answer.
"""

import os
import resource
import sys
import threading
from pathlib import Path

from pydantic import BaseModel

from api.uploads.options import TableOptions
from api.uploads.table import CheckedTable, Limits, check_table
from jobs.faults import Fault, InvalidUpload

NICENESS = 10


class Order(BaseModel):
    """What to check."""

    path: Path
    into: Path
    options: TableOptions
    most_bytes: int
    most_encoded_bytes: int
    memory_bytes: int
    """What the process may take beyond what it maps to files."""


class Answer(BaseModel):
    """What was found: a table, or why it is none."""

    table: CheckedTable | None = None
    detail: str = ""
    faults: tuple[Fault, ...] = ()
    faults_total: int = 0
    storage: str = ""
    """What keeps the disk from taking the table's arrays, which is no fault of the table."""


def main() -> None:
    """Check one upload."""
    os.nice(NICENESS)
    order = Order.model_validate_json(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    resource.setrlimit(resource.RLIMIT_DATA, (order.memory_bytes, order.memory_bytes))
    sys.stdout.write(answer_to(order).model_dump_json() + "\n")


def answer_to(order: Order) -> Answer:
    """What was found."""
    limits = Limits(order.most_bytes, order.most_encoded_bytes)
    try:
        return Answer(table=check_table(order.path, order.options, into=order.into, limits=limits))
    except InvalidUpload as error:
        return Answer(detail=error.detail, faults=error.faults, faults_total=error.total)
    except OSError as error:
        return Answer(storage=error.strerror or str(error))
    except MemoryError:
        return Answer(detail=f"checking the table takes more than {order.memory_bytes >> 20:,} MiB of memory")


def _end_with_input() -> None:
    # Not by `sys.stdin`: Python could not end while a thread reads that.
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
