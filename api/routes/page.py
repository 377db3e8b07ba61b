"""`/`: the page for people, from files on this machine. It speaks to the API as everybody does."""

import asyncio
import re

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.page import files
from api.page.files import PageFile

FOR_EVER = "public, max-age=31536000, immutable"
REVALIDATED = "no-cache"

_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))")

router = APIRouter(include_in_schema=False)


@router.get("/")
async def get_page(request: Request) -> Response:
    """The page."""
    return _answer(request, await asyncio.to_thread(files.index), caching=REVALIDATED)


@router.get("/page/{digest}/{name:path}")
async def get_page_file(request: Request, digest: str, name: str) -> Response:
    """A file of the page; the digest is in the page's links."""
    if len(digest) + len(name) > 100:
        raise HTTPException(404)
    found = await asyncio.to_thread(files.file, digest, name)
    if found is None:
        raise HTTPException(404)
    return _answer(request, found, caching=FOR_EVER)


def _answer(request: Request, file: PageFile, *, caching: str) -> Response:
    headers = {
        "cache-control": caching,
        "content-security-policy": file.policy,
        "etag": file.etag,
        "vary": "Accept-Encoding",
    }
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    content = file.content
    if _GZIP.search(request.headers.get("accept-encoding", "")):
        headers["content-encoding"] = "gzip"
        content = file.zipped
    return Response(content, headers=headers, media_type=file.media_type)
