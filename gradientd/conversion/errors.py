"""Why a model cannot be written as layers."""

from jobs.errors import GradientdError
from jobs.escapes import escaped


class NotConvertible(GradientdError, ValueError):
    """A model, or a layer of it, has no counterpart among the layers of a spec. Change what the message names.

    `layer` is the layer's name, empty where the model as a whole is meant; `reason` says what is in the way.
    """

    code = "not_convertible"

    def __init__(self, reason: str, *, layer: str = "", kind: str = "") -> None:
        what = f"layer {layer!r} ({kind})" if layer else "the model"
        super().__init__(escaped(f"{what} {reason}"))
        self.layer = layer
        self.reason = reason
