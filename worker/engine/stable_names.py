"""Names for traced programs that are the same in every process.

TensorFlow numbers what it traces by one counter of the process, and the names that come of it are part of the key under
which a compiled program is kept: the same program, traced after others, would never be found again. So the counter is
set, while a program is traced, to a number that only the program decides.
"""

import hashlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from tensorflow.python.framework import ops

_FIRST = 1 << 56
"""Above all that the process's own counter reaches: tensors are told apart by these numbers too."""
_NUMBERS_OF_A_PROGRAM = 1 << 20
_PROGRAMS = 1 << 35

_named: set[int] = set()
"""Programs that have their names in this process. A second tracing of one must not give them to another function."""


@contextmanager
def stable_names(*program: object) -> Iterator[None]:
    """Have what is traced meanwhile named after the `program`, given by all that makes it what it is."""
    place = int.from_bytes(hashlib.sha256(repr(program).encode()).digest()[:8]) % _PROGRAMS
    if place in _named:
        yield
        return
    _named.add(place)
    numbers, own = itertools.count(_FIRST + place * _NUMBERS_OF_A_PROGRAM), ops.uid
    ops.uid = lambda: next(numbers)
    try:
        yield
    finally:
        ops.uid = own
