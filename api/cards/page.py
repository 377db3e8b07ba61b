"""A model card as one HTML page that needs nothing else: style, script, Plotly and data are in it.

It is full of what strangers named. The data are JSON that no script is, the page's script makes texts of them and no
markup, and a policy lets nothing run but the two scripts of these bytes, without network and without this origin.
"""

import base64
import hashlib
import html
from functools import cache
from importlib.resources import files

from jobs.evaluation import ModelCard

PLOTLY = "plotly-cartesian-4.1.1.min.js"
"""In `api/vendor/`, for the page at `/` draws by it too."""


def card_page(card: ModelCard) -> bytes:
    """The page, in UTF-8."""
    before, after = _around()
    # Inside of a script element only `<` can end or change what is read.
    return before + card.model_dump_json().replace("<", "\\u003c").encode() + after


@cache
def policy() -> str:
    """What the page may do, as Content-Security-Policy has it."""
    scripts = " ".join(f"'sha256-{_digest(_read(name))}'" for name in (PLOTLY, "card.js"))
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def design() -> str:
    """Names what the page is drawn by, which another version may have changed."""
    return hashlib.sha256(b"".join(_around())).hexdigest()[:16]


@cache
def _around() -> tuple[bytes, bytes]:
    """What is before the data, and what is behind them."""
    page = _read("card.html")
    for place, content in (
        ("policy", html.escape(policy())),
        ("style", _read("card.css")),
        ("plotly", _read(PLOTLY)),
        ("script", _read("card.js")),
    ):
        assert "</script" not in content
        page = page.replace("{{" + place + "}}", content, 1)
    before, _, after = page.partition("{{card}}")
    return before.encode(), after.encode()


@cache
def _read(name: str) -> str:
    folder = files("api") / "vendor" if name == PLOTLY else files("api.cards") / "static"
    return (folder / name).read_text("utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
