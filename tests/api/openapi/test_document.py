"""The published document: complete, and true."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from api.app import create_app
from api.openapi.examples import by_schema
from jobs.settings import Settings
from jobs.spec import Spec

Json = dict[str, Any]
EXAMPLES = {"example", "examples", "const", "enum", "default"}


@pytest.fixture(scope="module")
def document() -> Json:
    return create_app(Settings()).openapi()


def operations(document: Json) -> Iterator[Json]:
    for path in document["paths"].values():
        yield from path.values()


def test_the_document_is_made_once(document: Json) -> None:
    app: FastAPI = create_app(Settings())
    assert app.openapi() is app.openapi()
    assert app.openapi() == document


def test_every_operation_is_described(document: Json) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    names = [operation["operationId"] for operation in operations(document)]
    assert len(names) == len(set(names))
    for operation in operations(document):
        assert operation["summary"]
        assert operation["description"]
        assert operation["operationId"].islower()
        assert set(operation["tags"]) <= tags


def test_every_parameter_has_description_and_an_example_that_no_page_fills_in(document: Json) -> None:
    for operation in operations(document):
        names = [(parameter["in"], parameter["name"]) for parameter in operation["parameters"]]
        assert len(names) == len(set(names))
        for parameter in operation["parameters"]:
            assert parameter["description"], parameter
            assert parameter["schema"]["examples"], parameter
            # Swagger UI sends a parameter's own example for everybody who does not type another value.
            assert not parameter.get("example"), parameter


def test_every_response_has_description_and_example(document: Json) -> None:
    for operation in operations(document):
        assert "500" in operation["responses"]
        assert any(status.startswith("4") for status in operation["responses"])
        for status, response in operation["responses"].items():
            where = (operation["operationId"], status)
            assert response["description"], where
            assert "X-Request-Id" in response["headers"]
            for header in response["headers"].values():
                assert header["description"]
                assert header["example"]
            for media_type, media in response.get("content", {}).items():
                assert EXAMPLES & media.keys(), where
                assert (int(status) >= 400) == (media_type == "application/problem+json"), where


def test_every_field_has_description_and_example(document: Json) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert schema["description"], name
        for field, prop in schema.get("properties", {}).items():
            assert prop.get("description"), (name, field)
            assert EXAMPLES & prop.keys() or "$ref" in json.dumps(prop), (name, field)


def parts(part: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Each part of a document, and where it is."""
    yield where, part
    if isinstance(part, dict):
        for key, value in part.items():
            yield from parts(value, f"{where}/{key}")
    elif isinstance(part, list):
        for n, item in enumerate(part):
            yield from parts(item, f"{where}/{n}")


def test_no_default_is_an_object(document: Json) -> None:
    """Programs that make clients of the document drop what has one, and whatever refers to it."""
    assert [where for where, part in parts(document) if where.endswith("/default") and isinstance(part, dict)] == []
    spec = document["components"]["schemas"]["Spec"]["properties"]
    assert 'By default `{"type": "sgd", "learning_rate": 0.2}`.' in spec["optimizer"]["description"]


def test_every_operation_says_whether_it_asks_for_a_key(document: Json) -> None:
    schemes = document["components"]["securitySchemes"]
    for operation in operations(document):
        for needed in operation["security"]:
            assert needed.keys() <= schemes.keys()


def test_every_reference_leads_somewhere(document: Json) -> None:
    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            for key, value in part.items():
                if key == "$ref":
                    yield value
                else:
                    yield from references(value)
        elif isinstance(part, list):
            for item in part:
                yield from references(item)

    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    used = set(references(document))
    assert used <= known
    assert "FastAPI" not in json.dumps(document)
    assert "HTTPValidationError" not in json.dumps(document)


def test_examples_of_bodies_are_accepted(document: Json) -> None:
    media = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
    for example in media["examples"].values():
        Spec.model_validate(example["value"])


def test_examples_of_answers_have_every_required_field(document: Json) -> None:
    schemas = document["components"]["schemas"]
    for name, example in by_schema().items():
        assert set(schemas[name]["required"]) == example.keys(), name
