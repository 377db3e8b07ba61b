"""Puts the API together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from api.http import exception_handlers
from api.http.extent import extent_of
from api.http.middleware import RequestMiddleware
from api.openapi import document
from api.routes import (
    artifacts,
    catalogue,
    datasets,
    docs,
    events,
    history,
    jobs,
    metrics,
    page,
    predict,
    service,
    uploads,
    webhooks,
    weights,
)
from api.services import open_services
from api.telemetry.traffic import Traffic
from jobs.api_keys import read_entries
from jobs.exposure import check_exposure
from jobs.settings import Settings
from jobs.spec import Spec


def create_app(settings: Settings) -> FastAPI:
    """The API of these settings. Connects to nothing before it is started.

    Raises Misconfigured: its keys cannot be read, or it would be open to other machines without asking for any.
    """
    extent_of(Spec)  # made now, and kept: the first submission does not wait for it
    check_exposure(settings)
    read_entries(settings.api_keys.get_secret_value())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with open_services(settings) as services:
            app.state.services = services
            yield

    app = FastAPI(
        title="gradientd",
        version=version("gradientd"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    for router in (
        predict.router,  # the first that a request is compared with: it is asked by the thousand a second
        jobs.router,
        history.router,
        events.router,
        webhooks.router,
        artifacts.router,
        uploads.router,
        datasets.router,
        weights.router,
        catalogue.router,
        service.router,
        metrics.router,
        docs.router,
        page.router,
    ):
        app.router.routes.extend(router.routes)  # `include_router` would look for a request's route twice
    exception_handlers.install(app)
    document.publish(app, keys_required=settings.keys_required)
    app.state.traffic = traffic = Traffic()
    app.state.connections = None
    app.add_middleware(RequestMiddleware, traffic=traffic)
    return app


def create() -> FastAPI:
    """The API of the environment's settings, for servers that take a factory."""
    return create_app(Settings())
