"""`/docs`: Swagger UI from files on this machine, with no script but its own and none inline."""

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse

_OWN = Path(__file__).parent / "static"
_SWAGGER_UI = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def get_docs() -> FileResponse:
    """The page."""
    return _file(_OWN / "docs.html")


@router.get("/docs/{name}")
async def get_asset(name: str) -> FileResponse:
    """A file of the page."""
    if name == "docs.js":
        return _file(_OWN / name)
    if name not in _SWAGGER_UI:
        raise HTTPException(404)
    package = find_spec("fastapi_offline")
    assert package is not None
    assert package.origin is not None
    return _file(Path(package.origin).parent / "static" / name)


def _file(path: Path) -> FileResponse:
    return FileResponse(path, headers={"content-security-policy": _POLICY, "cache-control": "public, max-age=3600"})
