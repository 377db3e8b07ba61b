"""Describes query parameters and headers for the documentation. The routes read them themselves: that is
several times faster than FastAPI's way, and every refusal looks alike."""

from typing import Any

from api.http.params import Query

Json = dict[str, Any]


def documented(query: type[Query], *headers: Json) -> Json:
    """The parameters of an operation, as FastAPI's `openapi_extra` takes them."""
    schema = query.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"parameters": [*(_parameter(name, prop) for name, prop in schema.get("properties", {}).items()), *headers]}


def _parameter(name: str, schema: Json) -> Json:
    described = {"name": name, "in": "query", "required": False, "description": schema.pop("description")}
    described["example"] = schema.pop("examples")[0]
    schema.pop("title")
    if "anyOf" in schema:
        # A parameter is left out; it is never null.
        (only,) = (choice for choice in schema.pop("anyOf") if choice != {"type": "null"})
        schema = {**only, **{key: value for key, value in schema.items() if key != "default"}}
    if schema.get("type") == "object":
        described |= {"style": "deepObject", "explode": True}
        schema["propertyNames"] = {"minLength": 1, "maxLength": 64}
    return {**described, "schema": schema}


def _header(name: str, description: str, example: str) -> Json:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    }


REQUEST_ID = _header(
    "X-Request-Id",
    "Your name for the request, up to 128 letters, digits and `._:/+=@-`; anything else is replaced.",
    "5f0c9a4be1d27386",
)
IDEMPOTENCY_KEY = _header(
    "Idempotency-Key",
    "Makes sending again safe: for 24 hours the same key with the same job answers what was answered first, and "
    "with another job is refused. 1 to 255 printable ASCII characters.",
    "5f0c9a4b-e1d2-4738-9d0e-8c1c7f1f6a11",
)
IDEMPOTENCY_KEY["schema"] = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}
IDEMPOTENCY_KEY_UNNEEDED = {
    **IDEMPOTENCY_KEY,
    "description": "Accepted as everywhere, and not needed: sending this again changes nothing more and answers "
    "the job as it is now. 1 to 255 printable ASCII characters.",
}
IF_NONE_MATCH = _header("If-None-Match", "`ETag` of the answer you have: 304 while it is still true.", '"7.0.."')
PREFER = _header(
    "Prefer",
    "`wait=N`: answer as soon as the job differs from what `If-None-Match` knows (without it: from what it is now), "
    "or after N seconds, at most 60. A job in a final status is answered at once.",
    "wait=30",
)
