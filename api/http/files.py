"""Files as answers: whole, in parts, or not at all where the caller has them (RFC 9110)."""

import asyncio
import os
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, MalformedRangeHeader, RangeNotSatisfiable, Response

from api.http import kinds
from api.http.conditional import matches
from api.http.problems import SCOPE_IS_HEAD, Refused

MEDIA_TYPE = "application/octet-stream"

_RANGE = r"(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})"
_RANGES = re.compile(rf"bytes=\s*{_RANGE}(?:\s*,\s*{_RANGE})*", re.IGNORECASE | re.ASCII)


class _File(FileResponse):
    """The library's, but that it takes no notice of a `Range` that cannot be understood, as RFC 9110 wants it."""

    @classmethod
    def _parse_range_header(cls, http_range: str, file_size: int) -> list[tuple[int, int]]:
        if not _RANGES.fullmatch(http_range.strip()):
            return []
        # One beyond the end is overlooked where there is another: the library refuses them all.
        wanted = [part.strip() for part in http_range.partition("=")[2].split(",")]
        within = [part for part in wanted if part[:1] == "-" or int(part.partition("-")[0]) < file_size]
        try:
            return super()._parse_range_header(f"bytes={','.join(within or wanted)}", file_size)
        except MalformedRangeHeader:
            return []

    def check_range(self, request: Request, size: int) -> None:
        """Raise Refused for a range that lies beyond the file's end."""
        wanted, on = request.headers.get("range"), request.headers.get("if-range")
        if wanted is None or (on is not None and not self._should_use_range(on)):
            return
        try:
            self._parse_range_header(wanted, size)
        except RangeNotSatisfiable as error:
            headers = {"content-range": f"bytes */{size}"}
            detail = f"the file has {size:,} bytes, and not those asked for"
            raise Refused(kinds.RANGE_NOT_SATISFIABLE, detail, headers=headers) from error


async def file_response(request: Request, path: Path, *, name: str, sha256: str) -> Response:
    """A file that never changes, as an attachment of this name; with `Range` and `If-Range` a part of it.

    Raises Refused for a range beyond its end, and FileNotFoundError.
    """
    tag = f'"{sha256}"'
    headers = {"etag": tag, "cache-control": "private, no-cache", "accept-ranges": "bytes"}
    if matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    status = await asyncio.to_thread(os.stat, path)
    answer = _File(path, headers=headers, media_type=MEDIA_TYPE, filename=name, stat_result=status)
    answer.check_range(request, status.st_size)
    if request.scope.get(SCOPE_IS_HEAD) and "range" not in request.headers:
        # The library, which is told of a GET, would read all of it.
        return Response(headers=dict(answer.headers))
    return answer
