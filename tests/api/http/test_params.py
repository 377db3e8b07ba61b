"""What an operation takes is read by one dependency, which the document is made of."""

from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.requests import Request

from api.app import create_app
from api.http.context import ContextReader
from api.http.headers import Accept, Header, IdempotencyKey
from api.http.params import JobId, Reader, Segment
from api.http.problems import Refused
from api.http.query import Query
from jobs.errors import JobNotFound
from jobs.settings import Settings
from tests.api.conftest import assert_problem

pytestmark = pytest.mark.anyio

JOB_ID = "job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC"


def operations(app: FastAPI) -> list[APIRoute]:
    """The routes of all operations on what an owner has."""
    routes = [context.original_route for context in iter_route_contexts(app.routes)]
    found = [route for route in routes if isinstance(route, APIRoute) and route.path.startswith("/v1/")]
    assert len(found) >= 13
    return found


def described(route: APIRoute) -> list[dict[str, Any]]:
    reader = route.dependant.dependencies[1].call
    assert isinstance(reader, Reader)
    return reader.described()


def test_every_operation_knows_the_caller_then_reads_its_parameters_and_nothing_else() -> None:
    for route in operations(create_app(Settings())):
        context, params = route.dependant.dependencies
        assert isinstance(context.call, ContextReader), route.path
        assert isinstance(params.call, Reader), route.path
        assert get_type_hints(route.endpoint)[str(params.name)] is params.call.of, route.path
        own = route.dependant
        assert not [*own.path_params, *own.query_params, *own.header_params, *own.cookie_params, *own.body_params]


def test_the_document_has_what_is_read() -> None:
    app = create_app(Settings())
    paths = app.openapi()["paths"]
    for route in operations(app):
        for method in route.methods or ():
            published = paths[route.path_format][method.lower()]["parameters"]
            assert [parameter["name"] for parameter in published] == [
                *(parameter["name"] for parameter in described(route)),
                "X-Request-Id",
            ]
        of_path = {parameter["name"] for parameter in described(route) if parameter["in"] == "path"}
        assert of_path == set(route.param_convertors)


def test_a_created_job_is_linked_to_every_operation_on_a_job() -> None:
    paths = create_app(Settings()).openapi()["paths"]
    expected = {
        operation["operationId"]
        for operations in paths.values()
        for operation in operations.values()
        if any(parameter["name"] == "job_id" for parameter in operation["parameters"])
    }
    links = paths["/v1/jobs"]["post"]["responses"]["202"]["links"]
    assert links.keys() == expected
    assert all(name == link["operationId"] and link["parameters"] for name, link in links.items())


async def test_no_operation_takes_a_parameter_that_it_does_not_name(app: FastAPI, http: httpx.AsyncClient) -> None:
    for route in operations(app):
        for method in route.methods or ():
            url = route.path_format.format(
                job_id=JOB_ID,
                name="model.onnx",
                version="1",
                upload_id=f"up_{32 * '0'}",
                code="job_not_found",
                delivery_id="msg_1",
            )
            problem = assert_problem(await http.request(method, url, params={"lmit": "1"}), 422, "invalid_parameter")
            assert problem["errors"] == [{"parameter": "lmit", "detail": "There is no such parameter"}]


@dataclass(frozen=True, slots=True)
class Everything:
    query: Query
    key: IdempotencyKey
    form: Annotated[str, Accept(("application/json", "text/csv"))]
    job_id: JobId


def request(*, query: str = "", job_id: str = JOB_ID, **headers: str) -> Request:
    return Request(
        {
            "type": "http",
            "query_string": query.encode(),
            "path_params": {"job_id": job_id},
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        }
    )


async def test_the_first_part_that_cannot_be_is_refused() -> None:
    reader = Reader(Everything)
    wrong: dict[str, Any] = {"query": "x=1", "idempotency_key": "a b", "accept": "image/png", "job_id": "nope"}
    for name, code in (
        ("query", "invalid_parameter"),
        ("idempotency_key", "invalid_parameter"),
        ("accept", "not_acceptable"),
    ):
        with pytest.raises(Refused) as refused:
            await reader(request(**wrong))
        assert refused.value.kind.code == code
        assert all(error.parameter in ("x", "Idempotency-Key") for error in refused.value.errors)
        del wrong[name]
    with pytest.raises(JobNotFound):
        await reader(request(**wrong))
    assert await reader(request(accept="text/csv", idempotency_key='"k"')) == Everything(
        Query(), "k", "text/csv", JOB_ID
    )


async def test_a_reader_describes_the_path_then_the_query_then_headers() -> None:
    @dataclass(frozen=True, slots=True)
    class Some:
        header: Annotated[str, Header("X-Some", str, "Some.", "1", {"maxLength": 1})]
        name: Annotated[str, Segment("name", str, "Its name.", "a")]

    path, header = Reader(Some).described()
    assert (path["name"], path["in"], path["required"]) == ("name", "path", True)
    assert (header["name"], header["in"], header["required"]) == ("X-Some", "header", False)
    assert header["schema"] == {"type": "string", "maxLength": 1, "examples": ["1"]}
    assert path["schema"]["examples"] == ["a"]
