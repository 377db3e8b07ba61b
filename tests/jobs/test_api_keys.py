"""What an API key is: its entry in the settings, its owner, its limits."""

import pytest
from pydantic import ValidationError

from jobs.api_keys import KeyLimits, Scope, caps, entry_of, new_key, new_secret, read_entries, summary
from jobs.errors import Misconfigured
from jobs.settings import Settings


def test_a_key_shows_neither_its_secret_nor_its_hash() -> None:
    secret = new_secret()
    key = new_key(secret, owner="alice", scopes=Scope)
    assert secret not in repr(key)
    assert key.digest not in repr(key)
    assert "digest" not in summary(key)


def test_an_entry_reads_back_as_its_key() -> None:
    key = new_key(new_secret(), owner="env", scopes=[Scope.READ, Scope.SUBMIT])
    entry = entry_of(key)
    assert entry.startswith("env:read+submit:")
    (read,) = read_entries(f" {entry},\n")
    assert read == key.model_copy(update={"created_at": None})


@pytest.mark.parametrize(
    "entry", ["alice", "alice:read", "alice:read:gd_notahash", "*:read:" + "0" * 64, "a:write:" + "0" * 64, "a::x"]
)
def test_an_unreadable_entry_is_named_by_its_number_only(entry: str) -> None:
    good = "bob:admin:" + "a" * 64
    with pytest.raises(Misconfigured, match="entry 2 of GRADIENTD_API_KEYS") as refused:
        read_entries(f"{good} {entry}")
    assert entry not in str(refused.value)


@pytest.mark.parametrize("owner", ["", "*", "a:b", "a b", "a|b", "x" * 65, "-a"])
def test_an_owners_name_cannot_break_keys_apart(owner: str) -> None:
    with pytest.raises(ValidationError):
        new_key(new_secret(), owner=owner, scopes=[Scope.READ])


def test_what_a_key_does_not_limit_the_settings_limit_but_for_an_admin() -> None:
    settings = Settings(key_max_jobs=1, key_max_queued=2)
    own = KeyLimits(max_queued=7)
    assert caps(new_key(new_secret(), owner="a", scopes=[Scope.READ]), settings) == (1, 2)
    assert caps(new_key(new_secret(), owner="a", scopes=[Scope.READ], limits=own), settings) == (1, 7)
    assert caps(new_key(new_secret(), owner="a", scopes=[Scope.ADMIN], limits=own), settings) == (0, 7)
