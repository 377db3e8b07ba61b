"""The scripts: each names its arguments once, and Python hands them over by these names."""

import re
from importlib.resources import files

import pytest

from store.calls import script
from store.keys import Keys
from store.scripts import load

NAMES = sorted(path.name.removesuffix(".lua") for path in (files("store") / "lua").iterdir())
SCRIPTS = [name for name in NAMES if name not in ("prelude", "snapshot")]


@pytest.mark.parametrize("name", SCRIPTS)
def test_arguments_are_named_once_at_the_top(name: str) -> None:
    text = re.sub(r"--.*", "", (files("store") / "lua" / f"{name}.lua").read_text())
    numbered = [int(number) for number in re.findall(r"ARGV\[(\d+)\]", text)]
    assert numbered == list(range(1, len(load(name).arguments) + 1))


def test_arguments_come_in_the_scripts_order_and_the_rest_behind_them() -> None:
    call = script(Keys("ns"), "claim", token="t", worker="w", lease_ms=5, rest=["any", "gpu"])
    assert call.command == ("ns", "w", 5, "t", "any", "gpu")


def test_an_argument_that_is_missing_or_unknown_is_refused() -> None:
    with pytest.raises(KeyError, match="fence"):
        script(Keys("ns"), "beat", id="job", lease_ms=5)
    with pytest.raises(TypeError, match=r"beat\.lua takes no token"):
        script(Keys("ns"), "beat", id="job", lease_ms=5, fence=1, token="t")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_begins_with_what_it_uses_and_no_more(name: str) -> None:
    source = load(name).source
    own = re.sub(r"--.*", "", source)
    defined = re.findall(r"^local function (\w+)", own, re.MULTILINE)
    assert all(len(re.findall(rf"\b{function}\b", own)) > 1 for function in defined)
    everywhere = "".join(
        re.findall(r"^local function \w+", load("create").source + load("upkeep").source, re.MULTILINE)
    )
    known = set(re.findall(r"local function (\w+)", everywhere))
    assert {function for function in known if re.search(rf"\b{function}\(", own)} <= set(defined)
