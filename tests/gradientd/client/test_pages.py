"""Lists go on from page to page by themselves, and no further than they are read."""

import httpx
import pytest

from gradientd.client import Refused
from tests.gradientd.client.conftest import ClientOf
from tests.gradientd.samples import dump, sample_job

IDS = [f"job_01KAV9M3S1Q4T8Z6X2Y7W5R0{n:02}" for n in range(7)]


class Server:
    """Lists seven jobs, as many at a time as it is asked for."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        params = dict(request.url.params)
        self.asked.append(params)
        first = IDS.index(params["after"]) + 1 if "after" in params else 0
        ids = IDS[first : first + int(params["limit"])]
        page = dump([sample_job(id=job_id) for job_id in ids])
        return httpx.Response(200, json=page | {"has_more": bool(ids) and ids[-1] != IDS[-1]})


def test_going_through_a_list_goes_through_all_of_it(client_of: ClientOf) -> None:
    server = Server()
    with client_of(server) as client:
        page = client.list(status="running", metadata={"team": "vision"}, order="asc", limit=3)
        assert [job.id for job in page.data] == IDS[:3]
        assert page.has_more
        assert len(server.asked) == 1
        assert [job.id for job in page] == IDS
        assert [job.id for job in page] == IDS  # as often as one likes
    first = {"limit": "3", "order": "asc", "status": "running", "metadata[team]": "vision"}
    assert server.asked[:3] == [first, first | {"after": IDS[2]}, first | {"after": IDS[5]}]
    assert len(server.asked) == 5


def test_no_more_is_read_than_is_asked_for(client_of: ClientOf) -> None:
    server = Server()
    with client_of(server) as client:
        for job in client.list(limit=2):
            if job.id == IDS[2]:
                break
    assert len(server.asked) == 2


def test_pages_can_be_turned_by_hand(client_of: ClientOf) -> None:
    server = Server()
    with client_of(server) as client:
        page = client.list(limit=4, after=IDS[0])
        assert [job.id for job in page.data] == IDS[1:5]
        behind = page.next_page()
        assert behind is not None
        assert [job.id for job in behind.data] == IDS[5:]
        assert behind.next_page() is None
    assert server.asked[1]["after"] == IDS[4]


def test_an_empty_list_is_one(client_of: ClientOf) -> None:
    with client_of(lambda _: httpx.Response(200, json=dump([]))) as client:
        assert list(client.list()) == []
        assert list(client.datasets()) == []
        assert repr(client.list()) == "<0 entries: >"


def test_a_list_that_breaks_off_says_so(client_of: ClientOf) -> None:
    server = Server()

    def forgetful(request: httpx.Request) -> httpx.Response:
        if "after" in request.url.params:
            return httpx.Response(422, json={"status": 422, "code": "invalid_cursor", "detail": "after: gone"})
        return server(request)

    with client_of(forgetful) as client, pytest.raises(Refused, match="gone"):
        list(client.list(limit=2))
