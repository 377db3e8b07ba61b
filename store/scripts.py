"""The Lua scripts that change the store: each one atomic, each beginning with the same prelude."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from jobs.states import HELD, TERMINAL, TRANSITIONS, Status
from store import buckets, keys, lanes


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text and the SHA-1 by which Redis calls it."""

    name: str
    source: str
    sha: str
    arguments: tuple[str, ...] = ()
    """The names of its arguments, in their order, but for the rest of any length."""


def _set(statuses: frozenset[Status]) -> str:
    return "{" + ", ".join(f"{status.value} = true" for status in sorted(statuses)) + "}"


def _tables() -> str:
    """The state machine as Lua tables, from the one in `jobs.states`."""
    allowed = ", ".join(f"{status.value} = {_set(onward)}" for status, onward in TRANSITIONS.items())
    return f"local ALLOWED = {{{allowed}}}\nlocal HELD = {_set(HELD)}\nlocal TERMINAL = {_set(TERMINAL)}"


_WORD = re.compile(r"\w+")
_DEFINED = re.compile(r"local (?:function (\w+)|([\w, ]+))")


class _Definition(NamedTuple):
    """A statement that gives a function or a value its names."""

    names: frozenset[str]
    text: str


def _definitions(*texts: str) -> list[_Definition]:
    """What the preludes define, each statement by itself; they consist of `local` statements alone."""
    plain = re.sub(r"^\s*--.*\n", "", "\n".join(texts), flags=re.MULTILINE)
    statements = re.split(r"^(?=local )", plain, flags=re.MULTILINE)[1:]
    return [_Definition(_names(each), each) for each in statements]


def _names(statement: str) -> frozenset[str]:
    found = _DEFINED.match(statement)
    assert found
    return frozenset(_WORD.findall(found[1] or found[2]))


def _needed(definitions: list[_Definition], text: str) -> list[str]:
    """Those of the definitions that a script needs, and that these need, in their order: Redis runs each anew with
    every call of the script, which took a fifth of a submission's time.
    """
    words = set(_WORD.findall(re.sub(r"--.*", "", text)))
    kept: list[str] = []
    for definition in reversed(definitions):  # each uses only those before it
        if definition.names & words:
            words.update(_WORD.findall(definition.text))
            kept.append(definition.text.rstrip())
    return kept[::-1]


@cache
def load(name: str) -> Script:
    """The script `store/lua/<name>.lua`, prelude included. Its one KEY is the namespace."""
    folder = files("store") / "lua"
    text = (folder / f"{name}.lua").read_text("utf-8")
    definitions = _definitions(
        _tables(),
        lanes.lua_functions(),
        buckets.lua_function(),
        keys.lua_builders(),
        (folder / "prelude.lua").read_text("utf-8"),
        (folder / "snapshot.lua").read_text("utf-8"),
    )
    source = "\n".join(["local NS = KEYS[1]", *_needed(definitions, text), text])
    # Redis names scripts by SHA-1; nothing here is secret.
    sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    return Script(name, source, sha, _arguments(text))


_FIRST_STATEMENT = re.compile(r"^local ([\w, ]+) =\s+ARGV\[1\]", re.MULTILINE)


def _arguments(text: str) -> tuple[str, ...]:
    """The names that a script gives its arguments in its first statement."""
    found = _FIRST_STATEMENT.search(text)
    return tuple(found[1].split(", ")) if found else ()
