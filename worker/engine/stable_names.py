"""Names for traced programs that are the same in every process.

TensorFlow numbers the functions that it traces by one counter of the process, and their names are part of the key under
which a compiled program is kept: the same program, traced after others, would never be found again. So, while a program
is traced, its functions are numbered by themselves, behind a number that only the program decides.
"""

import hashlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from tensorflow.python.eager.polymorphic_function import concrete_function
from tensorflow.python.ops import control_flow_util_v2

_named: set[str] = set()
"""Programs that have their names in this process. A second tracing of one must not give them to another function."""


@contextmanager
def stable_names(*program: object) -> Iterator[None]:
    """Have the functions traced meanwhile named after the `program`, given by all that makes it what it is."""
    digest = hashlib.sha256(repr(program).encode()).hexdigest()[:16]
    if digest in _named:
        yield
        return
    _named.add(digest)
    numbers = itertools.count()

    def named(scope: str, name: str) -> str:
        return f"{scope}{name}_{digest}_{next(numbers)}".replace("/", "_")

    # The two places at which TensorFlow makes such names: of a function, and of the branches and loops within it.
    of_functions, of_branches = concrete_function._inference_name, control_flow_util_v2.unique_fn_name
    concrete_function._inference_name = lambda name: named("__inference_", name)
    control_flow_util_v2.unique_fn_name = named
    try:
        yield
    finally:
        concrete_function._inference_name = of_functions
        control_flow_util_v2.unique_fn_name = of_branches
