"""The settings of a command that runs the service or reaches its store."""

from typing import Any

from pydantic import ValidationError

from gradientd.cli.wording import in_our_words
from gradientd.local.errors import CannotStart
from jobs.settings import Settings


def load_settings(**given: Any) -> Settings:
    """The settings from the environment, overridden by the options that were given.

    Raises:
        CannotStart: a value is out of bounds.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(
            f"GRADIENTD_{str(fault['loc'][0]).upper()}: {in_our_words(fault['msg'])}"
            for fault in error.errors()
            if fault["loc"]
        )
        raise CannotStart(f"a setting cannot be used: {wrong}") from error
