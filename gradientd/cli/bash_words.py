"""What bash says of a line to be completed: words that it broke at `@`, `:` and `=`, put together again.

Without that a URL on the line, or a dataset's version, would be several arguments.
"""

import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO

BREAKS = "@:="
MODE, COMPLETES = "_GRADIENTD_COMPLETE", "complete_bash"
WORDS, AT = "COMP_WORDS", "COMP_CWORD"


@contextmanager
def whole_words(environment: Mapping[str, str] = os.environ) -> Generator[None]:
    """Complete whole words; proposals are without what comes before the part that bash will put them in place of.

    Does nothing but for a completion in bash.
    """
    broken, number = environment.get(WORDS, "").split("\n"), environment.get(AT, "")
    if environment.get(MODE) != COMPLETES or not number.isdigit() or int(number) >= len(broken):
        yield
        return
    place = int(number)
    words, at = together(broken, place)
    os.environ |= {WORDS: "\n".join(words), AT: str(at)}
    before = words[at].removesuffix(broken[place])
    proposals = StringIO()
    try:
        with redirect_stdout(proposals):
            yield
    finally:
        value_before = before.rpartition("=")[2]  # for a proposal is without the option's name
        lines = proposals.getvalue().split("\n")
        sys.stdout.write("\n".join(line.removeprefix(before).removeprefix(value_before) for line in lines))


def together(words: list[str], at: int) -> tuple[list[str], int]:
    """The words as they were typed, and which of them is to be completed."""
    whole: list[str] = []
    place = at
    is_open = False
    for number, word in enumerate(words):
        is_break = bool(word) and not word.strip(BREAKS)
        if whole and (is_break or (is_open and word)):
            whole[-1] += word
        else:
            whole.append(word)
        is_open = is_break
        if number == at:
            place = len(whole) - 1
    return whole, place
