"""A model's card over HTTP: as JSON, and as a page that strangers' names cannot break."""

import base64
import hashlib
import json
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
import redis

from api.app import create_app
from jobs.api_keys import KeyLimits, Scope, new_key, new_secret
from jobs.evaluation import Evaluation, ShownExample
from jobs.report import Report
from jobs.settings import Settings
from jobs.states import Reason, Status
from store.api_keys import KeyRing
from store.artifacts import LocalArtifacts
from store.jobs import Claim, Store
from tests.api.conftest import Do, assert_problem, epoch, talk_to
from tests.api.evaluations import HOSTILE, of_classes, of_targets, picture
from tests.api.models import CUSTOMERS, succeed

pytestmark = pytest.mark.anyio

HTML = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
"""As browsers ask."""
EVALUATION = of_classes(("no", "yes"), shown=[ShownExample(picture=picture(7))])

Carded = Callable[..., Any]


@pytest.fixture
def carded(submit: Any, claim: Callable[[], Claim], settings: Settings, store: Store, do: Do) -> Carded:
    """A job that has reported three epochs and succeeded with this evaluation; its id."""

    async def carded(evaluation: Evaluation | bytes | None = EVALUATION, **spec: Any) -> str:
        await submit(**spec)
        taken = claim()
        do(store.report(taken.job.id, taken.fence, Report(1, epochs=tuple(epoch(n) for n in (1, 2, 3)))))
        content = evaluation.model_dump_json().encode() if isinstance(evaluation, Evaluation) else evaluation
        return succeed(taken, CUSTOMERS, settings=settings, store=store, do=do, evaluation=content)

    return carded


class Elements(HTMLParser):
    """The elements of a page, and what is in its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.tags: list[str] = []
        self.policy = ""
        self._inside = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = dict(attrs)
        if tag == "script":
            self.scripts.append((named, ""))
            self._inside = True
        if tag == "meta" and named.get("http-equiv") == "Content-Security-Policy":
            self.policy = named["content"] or ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._inside:
            attributes, content = self.scripts.pop()
            self.scripts.append((attributes, content + data))


def directives(policy: str) -> dict[str, list[str]]:
    """A Content-Security-Policy by its directives."""
    return {name: values for name, *values in (part.split() for part in policy.split(";"))}


def digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


# --- the card -------------------------------------------------------------------------------------


async def test_the_card_is_all_that_is_known_of_the_model(http: httpx.AsyncClient, carded: Carded) -> None:
    job_id = await carded(metadata={"team": "blue"})
    answer = await http.get(f"/v1/jobs/{job_id}/card")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    card, job = answer.json(), (await http.get(f"/v1/jobs/{job_id}")).json()
    assert (card["object"], card["job_id"]) == ("model.card", job_id)
    assert card["evaluation"] == EVALUATION.model_dump(mode="json")
    same = ("spec", "choices", "run", "attempt", "metrics", "created_at", "started_at", "finished_at")
    assert {name: card[name] for name in same} == {name: job[name] for name in same}
    assert card["curve"]["epochs"] == [1, 2, 3]
    assert card["curve"]["series"]["loss"] == [1, 1 / 2, 1 / 3]
    assert "rmse" not in card["curve"]["names"]


async def test_a_card_without_epochs_is_one_too(
    http: httpx.AsyncClient, submit: Any, claim: Callable[[], Claim], settings: Settings, store: Store, do: Do
) -> None:
    await submit()
    evaluation = of_targets(("price", "size")).model_dump_json().encode()
    job_id = succeed(claim(), CUSTOMERS, settings=settings, store=store, do=do, evaluation=evaluation)
    card = (await http.get(f"/v1/jobs/{job_id}/card")).json()
    assert (card["curve"]["epochs"], card["curve"]["names"]) == ([], [])
    assert [of["name"] for of in card["evaluation"]["regression"]["targets"]] == ["price", "size"]
    assert card["evaluation"]["classification"] is None


async def test_head_is_get_without_the_card(http: httpx.AsyncClient, carded: Carded) -> None:
    path = f"/v1/jobs/{await carded()}/card"
    for headers in ({}, HTML):
        head, got = await http.head(path, headers=headers), await http.get(path, headers=headers)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("etag", "content-type", "content-length", "vary", "content-security-policy"):
            assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/html", "text/html"),
        (HTML["accept"], "text/html"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("text/*", "text/html"),
    ],
)
async def test_the_form_is_the_one_that_is_liked_best(
    http: httpx.AsyncClient, carded: Carded, accept: str | None, form: str
) -> None:
    headers = {} if accept is None else {"accept": accept}
    answer = await http.get(f"/v1/jobs/{await carded()}/card", headers=headers)
    assert answer.headers["content-type"].partition(";")[0] == form
    assert answer.content.startswith(b"{" if form == "application/json" else b"<!doctype html>")


async def test_another_form_is_not_to_be_had(http: httpx.AsyncClient, carded: Carded) -> None:
    answer = await http.get(f"/v1/jobs/{await carded()}/card", headers={"accept": "text/csv"})
    detail = assert_problem(answer, 406, "not_acceptable")["detail"]
    assert "application/json" in detail
    assert "text/html" in detail


async def test_an_unknown_parameter_is_refused(http: httpx.AsyncClient, carded: Carded) -> None:
    assert_problem(await http.get(f"/v1/jobs/{await carded()}/card?form=html"), 422, "invalid_parameter")


# --- its tag --------------------------------------------------------------------------------------


async def test_a_known_card_is_not_sent_again(http: httpx.AsyncClient, carded: Carded) -> None:
    path = f"/v1/jobs/{await carded()}/card"
    tags: list[str] = []
    for headers in ({}, HTML):
        first = await http.get(path, headers=headers)
        tags.append(first.headers["etag"])
        again = await http.get(path, headers={**headers, "if-none-match": f'"other", W/{tags[-1]}'})
        assert (again.status_code, again.content) == (304, b"")
        for answer in (first, again):
            assert answer.headers["vary"] == "Accept"
            assert answer.headers["etag"] == tags[-1]
            assert answer.headers["cache-control"] == "private, no-cache"
        # A browser puts the headers of a 304 in the place of those that it has.
        assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
    assert len(set(tags)) == 2
    crosswise = await http.get(path, headers={**HTML, "if-none-match": tags[0]})
    assert crosswise.status_code == 200


async def test_cards_of_two_models_have_two_tags(http: httpx.AsyncClient, carded: Carded) -> None:
    ids = [await carded(), await carded(of_classes(("no", "yes"), wrong=False))]
    tags = [(await http.get(f"/v1/jobs/{job_id}/card")).headers["etag"] for job_id in ids]
    assert tags[0] != tags[1]


# --- where there is none --------------------------------------------------------------------------


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING, Status.FAILED])
async def test_without_success_there_is_no_card(
    http: httpx.AsyncClient, submit: Any, claim: Callable[[], Claim], store: Store, do: Do, status: Status
) -> None:
    job_id = (await submit())["id"]
    fence = 0 if status is Status.QUEUED else claim().fence
    if status is Status.FAILED:
        do(store.finish(job_id, fence, status, reason=Reason.OUT_OF_MEMORY))
    for headers in ({}, HTML):
        answer = await http.get(f"/v1/jobs/{job_id}/card", headers=headers)
        assert f"is {status};" in assert_problem(answer, 409, "not_exported")["detail"]


async def test_a_model_of_an_older_version_has_no_card(http: httpx.AsyncClient, carded: Carded) -> None:
    answer = await http.get(f"/v1/jobs/{await carded(None)}/card")
    assert "train it again" in assert_problem(answer, 409, "not_exported")["detail"]


async def test_an_unknown_job_has_no_card(http: httpx.AsyncClient) -> None:
    assert_problem(await http.get("/v1/jobs/job_00000000000000000000000000/card"), 404, "job_not_found")


async def test_anothers_card_is_as_if_it_were_not_there(
    settings: Settings, client: redis.Redis, store: Store, do: Do, claim: Callable[[], Claim]
) -> None:
    guarded = settings.model_copy(update={"auth": "required"})
    ring = KeyRing.of(guarded)

    def key_of(owner: str) -> dict[str, str]:
        secret = new_secret()
        scopes = (Scope.READ, Scope.SUBMIT)
        do(ring.create(new_key(secret, owner=owner, scopes=scopes, limits=KeyLimits())))
        return {"Authorization": f"Bearer {secret}"}

    alice, bob = key_of("alice"), key_of("bob")
    app = create_app(guarded)
    async with app.router.lifespan_context(app), talk_to(app) as http:
        assert (await http.post("/v1/jobs", json={}, headers=alice)).status_code == 202
        content = EVALUATION.model_dump_json().encode()
        job_id = succeed(claim(), CUSTOMERS, settings=guarded, store=store, do=do, evaluation=content)
        path = f"/v1/jobs/{job_id}/card"
        for form in ({}, HTML):
            own = await http.get(path, headers={**alice, **form})
            assert own.status_code == 200
            known = {"if-none-match": own.headers["etag"]}
            assert_problem(await http.get(path, headers={**bob, **form}), 404, "job_not_found")
            assert_problem(await http.get(path, headers={**bob, **form, **known}), 404, "job_not_found")
            assert_problem(await http.get(path, headers={**form, **known}), 401, "unauthorized")


# --- what is in the file --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"{}", b"\xff\xfe", b'{"format": 1}', EVALUATION.model_dump_json().encode()[:-20]],
)
async def test_a_damaged_evaluation_is_the_servers_fault_and_told_so(
    http: httpx.AsyncClient, carded: Carded, content: bytes
) -> None:
    path = f"/v1/jobs/{await carded(content)}/card"
    for headers in ({}, HTML):
        body = assert_problem(await http.get(path, headers=headers), 503, "storage_unavailable")
        assert "evaluation.json is damaged" in body["detail"]


async def test_an_evaluation_that_is_gone_is_told_as_such(
    http: httpx.AsyncClient, carded: Carded, settings: Settings
) -> None:
    job_id = await carded()
    LocalArtifacts.of(settings).delete(job_id, "evaluation.json")
    body = assert_problem(await http.get(f"/v1/jobs/{job_id}/card"), 503, "storage_unavailable")
    assert str(settings.data_dir) not in body["detail"]


def with_news(value: Any) -> Any:
    """The same JSON with a further field in every object that has names of its own."""
    if isinstance(value, list):
        return [with_news(each) for each in value]
    if not isinstance(value, dict):
        return value
    by_name = {"software", "class_counts", "quantiles", "row"}
    known = {name: of if name in by_name else with_news(of) for name, of in value.items()}
    return {**known, "news": {"from": ["a", "newer", "version"]}}


@pytest.mark.parametrize(
    "evaluation",
    [
        of_classes(("no", "yes"), shown=[ShownExample(row={"age": 3.5, "news": None})], columns=("age",)),
        of_targets(("price", "size"), shown=[ShownExample(values=(1.0, 2.5))]),
    ],
    ids=["classes", "targets"],
)
async def test_what_a_newer_version_wrote_beside_it_is_left_out(
    http: httpx.AsyncClient, carded: Carded, evaluation: Evaluation
) -> None:
    known = evaluation.model_dump(mode="json")
    newer = json.dumps(with_news(known))
    assert newer.count('"newer"') > 10
    job_id = await carded(newer.encode())
    assert (await http.get(f"/v1/jobs/{job_id}/card")).json()["evaluation"] == known


# --- the page -------------------------------------------------------------------------------------


async def test_the_page_may_run_its_own_scripts_and_do_nothing_else(http: httpx.AsyncClient, carded: Carded) -> None:
    answer = await http.get(f"/v1/jobs/{await carded()}/card", headers=HTML)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    elements = Elements(answer.text)
    (data, _), *scripts = elements.scripts
    assert data == {"id": "data", "type": "application/json"}
    assert [attributes for attributes, _ in scripts] == [{}, {}]
    (header,) = answer.headers.get_list("content-security-policy")
    sent, kept = directives(header), directives(elements.policy)
    assert "allow-same-origin" not in sent["sandbox"]
    assert sent["sandbox"] == ["allow-scripts"]
    assert sent["frame-ancestors"] == ["'none'"]
    # A page that was saved has only what is in it: the same, but for what only a header can say.
    assert kept == {name: of for name, of in sent.items() if name not in ("sandbox", "frame-ancestors")}
    assert sorted(kept["script-src"]) == sorted(digest(script) for _, script in scripts)
    assert kept["default-src"] == kept["base-uri"] == kept["form-action"] == ["'none'"]
    assert not any("http" in value for values in kept.values() for value in values)


async def test_the_page_fetches_nothing(http: httpx.AsyncClient, carded: Carded) -> None:
    page = (await http.get(f"/v1/jobs/{await carded()}/card", headers=HTML)).text
    elements = Elements(page)
    assert sorted(set(elements.tags)) == sorted(
        ["html", "head", "meta", "title", "link", "style", "body", "main", "noscript", "script"]
    )
    assert '<link rel="icon" href="data:,">' in page
    assert "{{" not in page.partition("<style>")[0]


async def test_the_page_has_the_card_as_it_is(http: httpx.AsyncClient, carded: Carded) -> None:
    path = f"/v1/jobs/{await carded()}/card"
    card = (await http.get(path)).json()
    (_, data), *_ = Elements((await http.get(path, headers=HTML)).text).scripts
    assert json.loads(data) == card


@pytest.mark.parametrize("kind", ["classes", "targets"])
async def test_no_name_leaves_the_data(http: httpx.AsyncClient, carded: Carded, kind: str) -> None:
    rows = [ShownExample(source=HOSTILE[0], row=dict.fromkeys(HOSTILE, HOSTILE[2]))]
    evaluation = (of_classes if kind == "classes" else of_targets)(HOSTILE, shown=rows, columns=HOSTILE)
    job_id = await carded(evaluation, metadata={"a": HOSTILE[0], "b": "<!--<script>"})
    page = (await http.get(f"/v1/jobs/{job_id}/card", headers=HTML)).text
    harmless = Elements((await http.get(f"/v1/jobs/{await carded()}/card", headers=HTML)).text)
    elements = Elements(page)
    assert len(elements.scripts) == 3
    assert elements.tags == harmless.tags
    assert elements.scripts[1:] == harmless.scripts[1:]
    data = elements.scripts[0][1]
    assert "<" not in data
    card = (await http.get(f"/v1/jobs/{job_id}/card")).json()
    assert json.loads(data) == card
    assert card["evaluation"] == evaluation.model_dump(mode="json")
    # Whoever reads it otherwise than Python's parser finds no more: all of them look for these.
    assert page.lower().count("</script") == 3
    assert page.replace(data, "").count("<!--") == page.count("<!--")
