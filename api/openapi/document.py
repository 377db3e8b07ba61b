"""The published document: FastAPI's, made to say exactly what is accepted and returned."""

import json
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from api.http import headers, kinds
from api.http.context import ContextReader
from api.http.kinds import Kind
from api.http.params import Reader
from api.http.responses import GUARDED, REQUEST_ID, refusals
from api.openapi.examples import by_schema
from jobs.wire import FieldError, Problem

Json = dict[str, Any]

DESCRIPTION = """\
gradientd trains neural networks for whoever can send an HTTP request. `POST /v1/jobs` accepts a job, a
worker trains it with TensorFlow, and `GET /v1/jobs/{job_id}` tells how far it is and how well it does.

- **Jobs** are accepted at once (202) and trained as soon as a worker is free, by priority and then in order of
  arrival. A job whose worker dies is given to another one.
- **Reading** is cheap: send `If-None-Match` for a 304 while nothing has changed, and `Prefer: wait=60` to be
  answered at the next change.
- **Sending again** is safe: reading and cancelling are repeatable, creating is with an `Idempotency-Key`.
- **Keys**: where the server asks for API keys, send `Authorization: Bearer gd_…`. A key sees its owner's jobs and no
  others; another's job is as if it did not exist. Reading needs the scope `read`, all else `submit`; asking a model
  takes either, or `predict`, which is for nothing else, as `metrics` is for `/metrics`; `admin` may do everything, to
  everybody's jobs. A key has a rate, and its owner a number of jobs: past them the answer is 429.
- **Your data**: `PUT /v1/datasets/{name}` with a CSV, an archive of pictures or a .npz makes a version of a dataset, a
  job's `dataset` names it, and `POST /v1/jobs/{job_id}/predict` asks the trained model.
- **Problems** are `application/problem+json` (RFC 9457). `code` is stable, `errors` names the fields, and
  `/problems/{code}` explains each.
- **Times** are RFC 3339 in UTC, durations end in `_seconds`, unknown fields and parameters are refused.
- **Requests** have an id: send `X-Request-Id` or be given one; it is in the answer, in problems and in the log.
"""

TAGS = [
    {"name": "jobs", "description": "Submit training jobs, follow, pause and cancel them."},
    {"name": "history", "description": "What a job's history tells: events, and metrics as series."},
    {"name": "webhooks", "description": "What a job's webhook was told, and telling it again."},
    {"name": "artifacts", "description": "The files that a job leaves: its model, and what belongs to it."},
    {"name": "predictions", "description": "What a job's model says of new examples."},
    {"name": "datasets", "description": "Upload tables, pictures and arrays to learn, look into them, delete them."},
    {"name": "weights", "description": "Upload weights to begin jobs with, list them, delete them."},
    {"name": "catalogue", "description": "What there is to train with: workers and presets."},
    {"name": "service", "description": "How the service itself is, and what its problems mean."},
]

_SCHEME = "apiKey"
_SCHEMES: Json = {
    _SCHEME: {"type": "http", "scheme": "bearer", "description": "An API key: `gd_` and 43 more characters."}
}
_NEEDED: Json = {_SCHEME: []}


def publish(app: FastAPI, *, keys_required: bool) -> None:
    """Let the app publish this document. It is made at the first request for it."""

    def document() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _made(app, keys_required=keys_required)
        return app.openapi_schema

    app.openapi = document


def _made(app: FastAPI, *, keys_required: bool) -> Json:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary="Training as a service",
        description=DESCRIPTION,
        license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
        routes=app.routes,
        tags=TAGS,
        servers=[{"url": "/", "description": "The server that published this."}],
    )
    schemas: Json = document["components"]["schemas"]
    for model in (Problem, FieldError):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    _tighten(schemas)
    for name, example in by_schema().items():
        _exemplify(schemas, schemas[name], example)
    document["components"]["securitySchemes"] = _SCHEMES
    operations: list[Json] = []
    for method, operation, dependant in _operations(app, document):
        operations.append(operation)
        calls = [dependency.call for dependency in dependant.dependencies]
        described = [parameter for call in calls if isinstance(call, Reader) for parameter in call.described()]
        operation["parameters"] = [*described, *headers.REQUEST_ID.described()]
        operation["security"] = []
        _add(operation, kinds.BAD_REQUEST)
        if any(isinstance(call, ContextReader) for call in calls):
            operation["security"] = [_NEEDED] if keys_required else [{}, _NEEDED]
            _add(operation, *GUARDED, *(() if method == "GET" else (kinds.PRECONDITION_FAILED,)))
        _complete(operation)
    for operation in operations:
        _link(operation, operations)
    return document


def _operations(app: FastAPI, document: Json) -> Iterator[tuple[str, Json, Dependant]]:
    """Method and description of each operation of the document, and what its route depends on."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                yield method, document["paths"][context.path_format][method.lower()], route.dependant


def _add(operation: Json, *refused: Kind) -> None:
    """Add problems to those that an operation answers."""
    responses: Json = operation["responses"]
    for status, response in refusals(*refused).items():
        known = responses.setdefault(str(status), response)
        (media,), (known_media,) = response["content"].values(), known["content"].values()
        new = media["examples"].keys() - known_media["examples"].keys()
        if new:
            known_media["examples"] |= {code: media["examples"][code] for code in sorted(new)}
            known["description"] = "\n\n".join([known["description"], response["description"]])
        known.setdefault("headers", {}).update(response["headers"])


def _complete(operation: Json) -> None:
    """Add to an operation's responses the header that all have, and examples."""
    for response in operation["responses"].values():
        response.setdefault("headers", {}).update(REQUEST_ID)
        media = response.get("content", {}).get("application/json")
        if media:
            forms = [form["$ref"].rpartition("/")[2] for form in media["schema"].get("anyOf", [media["schema"]])]
            if len(forms) == 1:
                media["example"] = by_schema()[forms[0]]
            else:
                media["examples"] = {form: {"summary": form, "value": by_schema()[form]} for form in forms}


def _link(operation: Json, others: list[Json]) -> None:
    """Give a response that names a parameter of other operations a link to each of those."""
    for response in operation["responses"].values():
        for parameter, link in response.pop("links", {}).items():
            response.setdefault("links", {}).update(
                {
                    other["operationId"]: {"operationId": other["operationId"], **link}
                    for other in others
                    if any(taken["name"] == parameter for taken in other["parameters"])
                }
            )


def _tighten(schemas: Json) -> None:
    """Say what is required: the tag in a choice of models, and every field of what only the server writes."""
    accepted = set(_reachable(schemas, "Spec"))
    for name, schema in schemas.items():
        properties: Json = schema.get("properties", {})
        for prop in properties.values():
            prop.pop("title", None)
            if isinstance(prop.get("default"), dict):
                # Programs that make clients of the document stumble over these.
                prop["description"] += f" By default `{json.dumps(prop.pop('default'))}`."
        if name in accepted:
            tag = properties.get("type", {})
            if "const" in tag:
                tag.pop("default", None)
                tag["description"] = "Which of the choices this is."
                schema["required"] = ["type"]
        elif properties and name not in ("Problem", "FieldError", "FaultAt"):
            schema["required"] = list(properties)


def _reachable(schemas: Json, name: str) -> Iterator[str]:
    yield name
    for below in _references(schemas[name]):
        yield from _reachable(schemas, below)


def _references(part: Any) -> Iterator[str]:
    """Names of the schemas that a part of the document refers to."""
    if isinstance(part, dict):
        for key, value in part.items():  # pyright: ignore[reportUnknownVariableType]
            if key == "$ref":
                yield str(value).rpartition("/")[2]  # pyright: ignore[reportUnknownArgumentType]
            elif key != "discriminator":
                yield from _references(value)
    elif isinstance(part, list):
        for item in part:  # pyright: ignore[reportUnknownVariableType]
            yield from _references(item)


def _exemplify(schemas: Json, schema: Json, example: Json) -> None:
    """Give each property that has no example its value in this one, all the way down."""
    for name, prop in schema["properties"].items():
        value = example.get(name)
        if value is None:
            continue
        below = [schemas[ref] for ref in _references(prop)]
        for item in _objects(value):
            for choice in (choice for choice in below if _fits(choice, item)):
                _exemplify(schemas, choice, item)
        if not below and not {"examples", "const", "enum"} & prop.keys():
            prop["examples"] = [value]


def _objects(value: Any) -> Iterator[Json]:
    for item in value if isinstance(value, list) else [value]:  # pyright: ignore[reportUnknownVariableType]
        if isinstance(item, dict):
            yield item


def _fits(schema: Json, item: Json) -> bool:
    properties: Json = schema.get("properties", {})
    tag = properties.get("type", {}).get("const")
    return item.keys() <= properties.keys() and tag in (None, item.get("type"))
