"""Jobs on the page: started from the form, followed, cancelled, and still there after a restart."""

import json
from collections.abc import Callable

import pytest

from tests.api.browser import Page
from tests.conftest import wait_until
from tests.e2e.conftest import Stack
from tests.page.conftest import LONG, Visit

POINTS = "(document.querySelector('.chart .plot')?.data ?? []).map((line) => line.x.length)"


def job_of(page: Page) -> str:
    wait_until(lambda: "#/jobs/job_" in page.evaluate("location.href"), what="the new job's page")
    return page.evaluate("location.hash").split("/")[2]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_a_job_is_started_and_followed_by_keyboard_alone(visit: Visit, site: Stack, width: int, scheme: str) -> None:
    with visit("#/jobs", width=width, scheme=scheme) as page:
        page.shows("h1", "Jobs")
        page.tab_to("a.button[href='#/new']")
        page.press("Enter")
        page.shows("h1", "New job")
        page.shows(".fine", "10 epochs")

        page.tab_to("#main .field:has(input[id]) input[inputmode=numeric][placeholder='10']")
        page.type("0")
        page.shows(".field:has([aria-invalid]) .wrong", "greater than or equal to 1")
        assert page.evaluate(
            "[...document.querySelectorAll('button')].find((it) => it.textContent == 'Start training').disabled"
        )
        page.forget()  # a dry run that was refused
        page.type("30")
        page.shows(".fine", "30 epochs")
        assert page.evaluate("JSON.parse(document.querySelector('textarea.json').value).epochs") == 30
        page.tab_to("aside button.primary")
        page.press("Enter")

        job_id = job_of(page)
        wait_until(lambda: len(page.evaluate(POINTS)) == 2 and page.evaluate(POINTS)[0] >= 2, what="two epochs' points")
        before = page.evaluate(POINTS)[0]
        wait_until(lambda: page.evaluate(POINTS)[0] > before or before == 30, what="a curve that grows")
        page.shows(".job-head .chip", "succeeded", timeout_seconds=60)
        wait_until(lambda: page.evaluate(POINTS) == [30, 30], what="all points")
        page.shows(".figures", "test accuracy")

        page.tab_to("[role=tab][aria-selected=true]")
        page.press("ArrowRight", times=3)
        page.shows("[role=tab][aria-selected=true]", "Log")
        page.shows(".log", "finished: succeeded")
        assert page.evaluate("location.hash") == f"#/jobs/{job_id}/log"
    assert site.job(job_id)["spec"]["epochs"] == 30


def test_a_look_closer_outlasts_new_points(visit: Visit, site: Stack) -> None:
    job_id = site.submit(**LONG)
    with visit(f"#/jobs/{job_id}") as page:
        wait_until(
            lambda: len(page.evaluate(POINTS)) == 2 and page.evaluate(POINTS)[0] >= 20, what="some epochs' points"
        )
        # Plotly's own styles, which the page brings, lay its parts over each other.
        assert page.evaluate("getComputedStyle(document.querySelector('.chart .main-svg')).position") == "absolute"
        page.click("[aria-label='Zoom in: Loss']")
        reach = "document.querySelector('.chart .plot')._fullLayout.xaxis.range"
        seen, points = page.evaluate(reach), page.evaluate(POINTS)[0]
        wait_until(lambda: page.evaluate(POINTS)[0] > points + 5, what="more points")
        assert page.evaluate(reach) == seen
        page.click("[aria-label='Show all: Loss']")
        wait_until(lambda: page.evaluate(reach)[1] > seen[1], what="all of the curve")
    site.http.post(f"/v1/jobs/{job_id}/cancel")
    site.wait(job_id)


def test_a_job_is_paused_resumed_and_cancelled(visit: Visit, site: Stack) -> None:
    job_id = site.submit(**LONG, metadata={"team": "<b>vision</b>"})
    pressed = "[...document.querySelectorAll('.job-head button')].find((it) => it.textContent == '{}').click()"
    with visit("#/jobs") as page:
        page.shows(f".job a[href='#/jobs/{job_id}']")
        page.shows(".job .tag b", "<b>vision</b>")
        page.shows(".job.running progress")
        page.click(f".job a[href='#/jobs/{job_id}']")
        page.shows(".job-head .chip", "running")
        page.evaluate(pressed.format("Pause"))
        page.shows(".job-head .chip", "paused")
        page.evaluate(pressed.format("Resume"))
        page.shows(".job-head .chip", "running")
        page.evaluate(pressed.format("Cancel"))
        page.shows(".job-head .chip", "cancelled")
        page.evaluate("location.hash = '#/jobs?status=cancelled'")
        page.shows(f".job.cancelled a[href='#/jobs/{job_id}']")
    assert site.job(job_id)["status"] == "cancelled"


def test_what_happens_elsewhere_is_seen_in_the_list(visit: Visit, site: Stack) -> None:
    with visit("#/jobs") as page:
        page.shows("h1", "Jobs")
        job_id = site.submit(**LONG)
        row = f".job:has(a[href='#/jobs/{job_id}'])"
        page.shows(f"{row} .chip", "running")
        page.shows(f"{row} .job-progress", "epoch")
        site.http.post(f"/v1/jobs/{job_id}/cancel")
        page.shows(f"{row} .chip", "cancelled")
        site.http.delete(f"/v1/jobs/{job_id}")
        wait_until(lambda: not page.evaluate(f'document.querySelector("{row}")'), what="the row to go")


def test_jobs_are_filtered_and_searched(visit: Visit, site: Stack, digits: str) -> None:
    plain = site.wait(site.submit(epochs=1, metadata={"note": "sought for"}))["id"]
    shown = "[...document.querySelectorAll('.job-title')].map((it) => it.hash.split('/')[2])"
    with visit("#/jobs") as page:
        page.shows(f".job a[href='#/jobs/{plain}']")
        assert digits in page.evaluate(shown)
        page.tab_to("input[type=search]")
        page.type("sought note")
        wait_until(lambda: page.evaluate(shown) == [plain], what="one job")
        page.type("no job has this")
        page.shows(".empty", "No job is like that")
        page.type(digits)
        wait_until(lambda: page.evaluate(shown) == [digits], what="the job of that id")
        page.tab_to(".segments button:nth-child(4)")
        page.press("Enter")
        page.shows(".empty", "No job is like that")
        assert page.evaluate("location.hash") == f"#/jobs?status=failed&q={digits}"
        page.evaluate("location.reload()")
        page.shows(".segments [aria-pressed=true]", "Failed")
        assert page.evaluate("document.querySelector('input[type=search]').value") == digits


def test_a_finished_job_is_whole_after_a_restart_and_a_running_one_goes_on(
    visit: Visit, site: Stack, digits: str
) -> None:
    running = site.submit(**LONG)
    with visit(f"#/jobs/{running}") as page:
        wait_until(lambda: len(page.evaluate(POINTS)) == 2 and page.evaluate(POINTS)[0] >= 5, what="some points")
        (api,) = [
            process for process in site.processes if process.log.name.startswith("api") and process.popen.poll() is None
        ]
        api.stop()
        page.shows(".live", "reconnecting")
        site.start_api()
        page.shows(".live", "live")
        page.forget()  # the requests that failed meanwhile
        points = page.evaluate(POINTS)[0]
        wait_until(lambda: page.evaluate(POINTS)[0] > points, what="points after the restart")
        epochs = page.evaluate("document.querySelector('.chart .plot').data[0].x")
        assert epochs == sorted(set(epochs))
        site.http.post(f"/v1/jobs/{running}/cancel")
        page.shows(".job-head .chip", "cancelled")

        page.evaluate(f"location.hash = '#/jobs/{digits}'")
        page.shows(".job-head .chip", "succeeded")
        wait_until(lambda: page.evaluate(POINTS) == [3, 3], what="the curves")
        page.evaluate(f"location.hash = '#/jobs/{digits}/card'")
        page.shows("iframe.card-frame")
        wait_until(
            lambda: page.evaluate("parseInt(document.querySelector('iframe.card-frame').style.height) || 0") > 1500,
            what="the card",
        )
        page.evaluate(f"location.hash = '#/jobs/{digits}/files'")
        page.shows("[role=tabpanel]", "model.onnx")


def test_jobs_are_compared(visit: Visit, site: Stack) -> None:
    ids = [
        site.wait(site.submit(epochs=4, batch_size=size, metadata={"name": f"of {size}"}))["id"] for size in (64, 256)
    ]
    with visit("#/jobs") as page:
        for job_id in ids:
            page.click(f".job:has(a[href='#/jobs/{job_id}']) input[type=checkbox]")
        page.click("a.button[href^='#/compare/']")
        page.shows("h1", "2 jobs compared")
        wait_until(lambda: page.evaluate(POINTS) == [4, 4], what="both curves")
        page.shows(".differs", "batch_size")
        assert "64" in page.text(".differs")
        assert "256" in page.text(".differs")
        assert "epochs" not in page.text(".differs")


def test_what_is_no_spec_starts_nothing(visit: Visit, site: Stack) -> None:
    with visit("#/new") as page:
        page.shows(".fine", "10 epochs")
        page.evaluate("document.querySelector('details').open = true")
        write(page, '{"epochs": 3, "dataset": "mnist-10k", "priority":')
        page.shows(".field .wrong[role=alert]", "This is no JSON yet")
        assert page.evaluate("document.querySelector('aside button.primary').disabled")
        assert page.text("aside .fine") == ""
        write(page, '{"dataset": 5}')
        page.shows(".field:has(select) .wrong", "string")
        assert page.evaluate("document.querySelector('aside button.primary').disabled")
        assert page.text(".field .wrong[role=alert]") == ""
        page.forget()  # the dry run that was refused
        write(page, '{"epochs": 3, "dataset": "mnist-10k"}')
        page.shows(".fine", "3 epochs")
        assert not page.evaluate("document.querySelector('aside button.primary').disabled")


def write(page: Page, text: str, *, into: str = "textarea.json") -> None:
    page.evaluate(
        f"(() => {{ const it = document.querySelector('{into}'); it.value = {json.dumps(text)};"
        " it.dispatchEvent(new Event('input')); })()"
    )


def test_a_network_of_ones_own_is_written_and_trained(visit: Visit, site: Stack) -> None:
    layers = [
        {"type": "conv2d", "filters": 4, "kernel_size": 5, "strides": 2, "activation": "relu"},
        {"type": "batch_normalization"},
        {"type": "flatten"},
        {"type": "dense"},
    ]
    with visit("#/new") as page:
        page.shows(".fine", "10 epochs")
        assert page.evaluate("document.querySelector('.network').closest('.field').hidden")
        write(page, '{"epochs": 1, "dataset": "mnist-10k"}')
        page.shows(".fine", "1 epoch")
        page.evaluate(
            "(() => { const it = [...document.querySelectorAll('select')].find((one) => "
            "[...one.options].some((option) => option.value === 'layers')); it.value = 'layers';"
            " it.dispatchEvent(new Event('change')); })()"
        )
        page.shows("aside [aria-label='Layers of the network']", "784")
        write(page, '[{"type": "conv2d", ', into=".network")
        page.shows(".wide .wrong", "This is no JSON yet")
        assert page.evaluate("document.querySelector('aside button.primary').disabled")
        write(page, json.dumps([{"type": "conv2d", "filters": 4, "kernel_size": 50}, *layers[1:]]), into=".network")
        page.shows(".wide .wrong", "layer 1, 'conv2d_1' (conv2d)")
        page.forget()  # the dry run that was refused
        write(page, json.dumps(layers), into=".network")
        page.shows("aside [aria-label='Layers of the network']", "12 × 12 × 4")
        assert page.text(".wide .wrong") == ""
        page.click("aside button.primary")
        job_id = job_of(page)
        page.shows(".job-head .chip", "succeeded", timeout_seconds=60)
    assert site.job(job_id)["spec"]["loss"] == "cross_entropy"
    assert [layer["type"] for layer in site.job(job_id)["spec"]["model"]["layers"]] == [one["type"] for one in layers]


def test_another_preset_takes_what_the_one_before_gave(visit: Visit, digits: str) -> None:
    with visit(f"#/new?from={digits}") as page:
        page.shows(".fine", "3 epochs")
        page.click(".preset input[value=textbook]")
        page.shows(".fine", "10 epochs")
        page.shows("aside", "mlp 256-128")


def test_older_rows_stay_true(visit: Visit, make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    stack.start_api()
    first, *_, last = [stack.submit(**LONG) for _ in range(55)]
    with visit("#/jobs", stack=stack) as page:
        page.shows(f".job a[href='#/jobs/{last}']")
        page.click(".more button")
        row = f".job:has(a[href='#/jobs/{first}'])"
        page.shows(f"{row} .chip", "queued")
        stack.http.post(f"/v1/jobs/{first}/cancel")
        page.shows(f"{row} .chip", "cancelled")
        page.evaluate("scrollTo(0, 700)")
        page.click(f"{row} a.job-title")
        page.shows("h1", "mnist")
        page.evaluate("history.back()")
        page.shows(f"{row} .chip", "cancelled")
        wait_until(lambda: page.evaluate("scrollY") == 700, what="the place on the list")


def test_a_job_deleted_elsewhere_is_gone(visit: Visit, make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    stack.start_api()
    job_id = stack.submit(**LONG)
    with visit(f"#/jobs/{job_id}", stack=stack) as page:
        page.shows(".chart", "Nothing measured yet")
        stack.http.post(f"/v1/jobs/{job_id}/cancel")
        wait_until(lambda: "cancelled" in page.evaluate("document.title"), what="the tab's new title")
        stack.http.delete(f"/v1/jobs/{job_id}")
        page.shows("h1", "This job is gone")
        assert page.evaluate("document.querySelectorAll('.toast').length") == 0
        page.forget()  # 404
