"""Whom the API may listen to without asking for keys."""

import pytest
from pydantic import SecretStr

from jobs.errors import Misconfigured
from jobs.exposure import check_exposure
from jobs.settings import Settings


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.7", "example.org"])
def test_listening_to_others_needs_keys_or_a_clear_word(host: str) -> None:
    with pytest.raises(Misconfigured, match="--insecure"):
        check_exposure(Settings(host=host))
    check_exposure(Settings(host=host, auth="required"))
    check_exposure(Settings(host=host, api_keys=SecretStr("a:read:" + "0" * 64)))
    check_exposure(Settings(host=host, insecure=True))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_alone_needs_none(host: str) -> None:
    check_exposure(Settings(host=host))
