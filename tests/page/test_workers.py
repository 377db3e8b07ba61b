"""Workers on the page: their devices and memory, and what each does now."""

from typing import Any

from jobs.record import Device
from jobs.settings import Settings
from store.calls import connect, run
from store.jobs import Store
from tests.api.conftest import worker
from tests.e2e.conftest import Stack
from tests.page.conftest import LONG, Visit

GIB = 1 << 30


def gpu(number: int, *, used: int) -> Device:
    return Device(
        name=f"/device:GPU:{number}",
        kind="gpu",
        model="<b>Card</b>",
        memory_growth=True,
        memory_bytes=used * GIB,
        memory_peak_bytes=(used + 1) * GIB,
        memory_bytes_total=80 * GIB,
    )


def present(stack: Stack, *devices: Device, **fields: Any) -> None:
    """A worker on another machine speaks."""
    settings = Settings.model_validate(
        {"redis_url": stack.redis_url, "namespace": stack.namespace, "data_dir": stack.folder}
    )
    other = worker("other").model_copy(update={"devices": devices, **fields})
    with connect(settings) as client:
        run(client, Store.of(settings).present(other, lifetime_seconds=30))


def test_devices_memory_and_jobs_are_seen(visit: Visit, site: Stack) -> None:
    job_id = site.submit(**LONG)
    site.wait(job_id, "running")
    present(site, gpu(0, used=20), gpu(1, used=2))
    panels = (
        "[...document.querySelectorAll('.cards > section')].find((it) => it.querySelector('h2').textContent == 'other')"
    )
    with visit("#/workers") as page:
        page.shows(f"a[href='#/jobs/{job_id}']")
        page.shows(".chip.busy", "busy")
        meters = f"[...({panels}).querySelectorAll('meter')].map((it) => it.value / it.max)"
        assert page.evaluate(meters) == [0.25, 0.025]
        text = page.evaluate(f"({panels}).innerText")
        assert "21.5 GB of 85.9 GB in use, most so far 22.5 GB, grows with need" in text
        assert "<b>Card</b>" in text
        present(site, gpu(0, used=40))
        page.shows(".cards", "42.9 GB of 85.9 GB")
        assert page.evaluate(meters) == [0.5]
        page.click(f"a[href='#/jobs/{job_id}']")
        page.shows(".job-head .chip", "running")
    site.http.post(f"/v1/jobs/{job_id}/cancel")
    site.wait(job_id)
