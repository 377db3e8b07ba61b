"""Keys: Python and Lua agree, and the namespace keeps stacks apart."""

import re

import redis

from store.keys import PERMANENT, TEMPLATES, Keys, lua_builders


def test_lua_builds_the_same_keys(client: redis.Redis, keys: Keys) -> None:
    for kind, template in TEMPLATES.items():
        parts = [name for name in re.findall(r"\{([a-z_]+)\}", template) if name != "ns"]
        values = [f"<{name}>" for name in parts]
        source = f"local NS = KEYS[1]\n{lua_builders()}\nreturn {kind}_key(unpack(ARGV))"
        expected = template.format(ns=keys.namespace, **dict(zip(parts, values, strict=True)))
        assert client.eval(source, 1, keys.namespace, *values) == expected


def test_every_key_begins_with_the_namespace() -> None:
    assert all(template.startswith("{ns}:") for template in TEMPLATES.values())


def test_permanent_keys_are_keys() -> None:
    assert set(PERMANENT) <= set(TEMPLATES)
