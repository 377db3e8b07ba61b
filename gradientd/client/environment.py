"""What the environment says of the server: one place for the client and for the command line."""

import os

URL_VARIABLE = "GRADIENTD_URL"
API_KEY_VARIABLE = "GRADIENTD_API_KEY"
DEFAULT_URL = "http://127.0.0.1:8000"
"""Where `gradientd up` listens unless told otherwise."""


def server_url() -> str:
    """Address of the API: that of `GRADIENTD_URL`, or of a `gradientd up` on this machine."""
    return os.environ.get(URL_VARIABLE) or DEFAULT_URL


def api_key() -> str:
    """The key of `GRADIENTD_API_KEY`; empty where there is none."""
    return os.environ.get(API_KEY_VARIABLE, "")


def checked_key(text: str) -> str:
    """The key, without the white space around it. Raises ValueError, which does not repeat what cannot be one."""
    if not text.isascii() or not text.strip().isprintable():
        raise ValueError("an API key is printable ASCII: gd_ and 43 more characters")
    return text.strip()
