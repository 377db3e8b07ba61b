"""Says in our words what Pydantic and the option parser say in theirs, and what was probably meant."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

LEAST_ALIKE = 0.65
"""How alike a word must be to what was given, from 0 to 1."""
AS_ALIKE = 0.05
"""How much less alike than the most alike one another may be and still be proposed beside it."""

SUBSTITUTES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), words)
    for pattern, words in (
        (r"Input tag ('.*?') found using .*? expected tags: (.*)", r"\1 is not one of \2"),
        (r"Unable to extract tag using discriminator '?(\w+)'?.*", r"must say its `\1`"),
        (r"Field required", "is missing"),
        (r"(Extra inputs are not permitted|There is no such (field|parameter))", "there is no such field"),
        (r"Input should be a valid integer.*", "must be a whole number"),
        (r"Input should be a valid number.*", "must be a number"),
        (r"Input should be a valid string.*", "must be text"),
        (r"Input should be a valid boolean.*", "must be true or false"),
        (r"Input should be a valid (list|tuple).*", "must be a list"),
        (r"Input should be (a valid dictionary|an object).*", "must be an object"),
        (r"Input should be greater than or equal to (.*)", r"must be at least \1"),
        (r"Input should be less than or equal to (.*)", r"must be at most \1"),
        (r"Input should be (.*)", r"must be \1"),
        (r"\w+ should have at (least|most) (.*?)(?: after validation)?(, not .*)?", r"must have at \1 \2\3"),
        (r"String should match pattern '\^\(auto\|cpu\|gpu.*'", "must be auto, cpu, gpu, or gpu:N for one of several"),
        (r"String should match pattern '\^\[a-z0-9\].*'", "must be lower-case letters, digits and . _ -"),
        (r"String should match pattern '(.*)'", r"must match \1"),
    )
)

_CHOICES = re.compile(r"'([^']*)'")


def in_our_words(message: str) -> str:
    """The message, if it is one of theirs, as we would put it; any other as it is."""
    message = message.removeprefix("Value error, ").removesuffix(".")
    for pattern, words in SUBSTITUTES:
        if match := pattern.fullmatch(message):
            return match.expand(words)
    return message


def with_meant(message: str, given: object = None) -> str:
    """The message, and what was meant, if it names choices and the value is like one of them.

    The value is `given`, or the first that the message itself quotes.
    """
    quoted = _CHOICES.findall(message)
    if "is not one of" in message and quoted:
        given, *quoted = quoted
    return message + meant(given, quoted) if isinstance(given, str) else message


def meant(given: str, possible: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing where nothing is like what was given."""
    alike = {word: likeness(given, word) for word in possible if word != given}
    most = max(alike.values(), default=0.0)
    near = [word for word, value in alike.items() if value >= max(LEAST_ALIKE, most - AS_ALIKE)]
    quoted = " or ".join(f"'{word}'" for word in near)
    return f"; did you mean {quoted}?" if near else ""


def likeness(given: str, word: str) -> float:
    """How alike two words are, from 0 to 1; the dashes that all options begin with do not count."""
    return SequenceMatcher(None, given.lower().lstrip("-"), word.lower().lstrip("-")).ratio()
