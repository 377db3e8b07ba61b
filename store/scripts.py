"""The Lua scripts that change the store: each one atomic, each beginning with the same prelude."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

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


@cache
def load(name: str) -> Script:
    """The script `store/lua/<name>.lua`, prelude included. Its one KEY is the namespace."""
    folder = files("store") / "lua"
    source = "\n".join(
        [
            "local NS = KEYS[1]",
            _tables(),
            lanes.lua_functions(),
            buckets.lua_function(),
            keys.lua_builders(),
            (folder / "prelude.lua").read_text("utf-8"),
            (folder / "snapshot.lua").read_text("utf-8"),
            (text := (folder / f"{name}.lua").read_text("utf-8")),
        ]
    )
    # Redis names scripts by SHA-1; nothing here is secret.
    sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    return Script(name, source, sha, _arguments(text))


_FIRST_STATEMENT = re.compile(r"^local ([\w, ]+) =\s+ARGV\[1\]", re.MULTILINE)


def _arguments(text: str) -> tuple[str, ...]:
    """The names that a script gives its arguments in its first statement."""
    found = _FIRST_STATEMENT.search(text)
    return tuple(found[1].split(", ")) if found else ()
