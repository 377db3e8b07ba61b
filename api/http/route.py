"""The class of the API's routes: FastAPI documents them, and requests go straight to their functions."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

Reader = Callable[[Request], Awaitable[Any]]


class DirectRoute(APIRoute):
    """A route whose function is async, takes the request or what async functions of the request alone give (`Depends`),
    and returns a response. FastAPI's own handler would solve that anew for each request, which costs as much as a small
    network's prediction.
    """

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """What answers a request."""
        endpoint, wanted = self.endpoint, self.dependant
        readers: list[tuple[str, Reader]] = [(each.name or "", each.call) for each in wanted.dependencies if each.call]
        request_name = wanted.request_param_name
        assert not [*wanted.path_params, *wanted.query_params, *wanted.header_params, *wanted.body_params]
        assert not any(each.dependencies for each in wanted.dependencies)

        async def answer(request: Request) -> Response:
            values = {name: await read(request) for name, read in readers}
            if request_name:
                values[request_name] = request
            return await endpoint(**values)

        return answer
