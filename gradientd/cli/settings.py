"""The settings of a command that runs the service or reaches its store."""

from typing import Any

import jobs.settings
from gradientd.cli.wording import in_our_words
from jobs.settings import Settings


def load_settings(**given: Any) -> Settings:
    """The settings from the environment, overridden by the options that were given.

    Raises:
        Misconfigured: a value cannot be used.
    """
    options = {name: value for name, value in given.items() if value is not None}
    return jobs.settings.load_settings(in_words=in_our_words, **options)
