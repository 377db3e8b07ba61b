"""What schemathesis is told beside the document; it imports this module by name (`SCHEMATHESIS_HOOKS`)."""

import os
from typing import Any

import schemathesis
from schemathesis.transport.serialization import Binary

from tests.fuzz import known

LONGEST_WAIT = "wait=1"
KEPT = ("DELETE",)
"""Methods that take away what is there, and are not sent for what is known."""


@schemathesis.serializer("image/bmp")
def as_it_is(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """The bytes of the one picture format that it does not know."""
    content = getattr(value, "data", value)
    return content if isinstance(content, bytes) else str(content).encode()


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict) -> None:
    """Let no request wait for a minute: nobody trains here, so a waiting reader would sit out its whole time. And have
    every other request, by its id, meet what is there.
    """
    for name, value in (case.headers or {}).items():
        if name.lower() == "prefer" and "wait" in str(value).lower():
            case.headers[name] = LONGEST_WAIT
    if ord(case.id[-1]) % 2 and case.method.upper() not in KEPT:
        meet_what_is_there(case)


def meet_what_is_there(case: schemathesis.Case) -> None:
    """Name what is known, and speak of it as the schema allows, with the fuzzer's own values.

    schemathesis looks once more whether the case is still one that the document allows.
    """
    path, are_pictures = case.operation.path, ord(case.id[-2]) % 2 == 1
    job_id = os.environ[known.PICTURE_JOB if are_pictures else known.JOB]
    parameters = case.path_parameters
    if not isinstance(parameters, dict):
        return
    if "{job_id}" in path and not path.endswith("/cancel"):
        parameters["job_id"] = job_id
    elif "/datasets/{name}" in path and case.method.upper() != "PUT":
        parameters["name"] = known.PICTURES if are_pictures else known.DATASET
    if path.endswith("/artifacts/{name}"):
        parameters["name"] = "encoding.json"
    body: Any = case.body
    if (
        path.endswith("/predict")
        and not are_pictures
        and isinstance(body, dict)
        and isinstance(body.get("instances"), list)
    ):
        body["instances"] = [named(instance) for instance in body["instances"]]
    if path.endswith("/datasets/{name}") and case.method.upper() == "PUT" and isinstance(body, str):
        if isinstance(body, Binary):
            case.body = Binary(known.archive(body.data) if are_pictures else known.TABLE + body.data)
        else:
            case.body = known.TABLE.decode() + body


def named(instance: Any) -> Any:
    """The instance, of which the values belong to the model's columns."""
    return dict(zip(known.COLUMNS, instance.values(), strict=False)) if isinstance(instance, dict) else instance
