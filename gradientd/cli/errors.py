"""What can go wrong at the command line itself; the docstring says what to do."""

from jobs.errors import GradientdError


class KeyNotFound(GradientdError):
    """No API key with this id is stored. `gradientd keys list` shows those that are."""

    code = "key_not_found"


class ExtraMissing(GradientdError):
    """The command needs packages that were not installed. Install the extra that the message names."""

    code = "extra_missing"

    def __init__(self, command: str, *, extra: str) -> None:
        super().__init__(f'{command} needs the extra "{extra}": pip install "gradientd[{extra}]"')
