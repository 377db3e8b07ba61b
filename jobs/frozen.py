"""Values that a user writes."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value: unknown fields are refused, wrong types are not converted, changes are made by copy."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
