"""A job's webhook on the page: what it was told, what came of it, and sending it again."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from tests.conftest import wait_until
from tests.e2e.conftest import Stack
from tests.page.conftest import Visit

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Receiver(BaseHTTPRequestHandler):
    """Counts what comes."""

    received = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        Receiver.received += 1
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name in the library)
        """Say nothing."""


def test_what_was_told_is_seen_and_told_again(visit: Visit, make_stack: Callable[..., Stack]) -> None:
    stack = make_stack(webhooks_allow_private="1")
    stack.start_api()
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/told"
        job_id = stack.submit(webhook={"url": url, "events": ["job.queued", "job.cancelled"], "secret": SECRET})
        with visit(f"#/jobs/{job_id}/webhook", stack=stack) as page:
            page.shows("[aria-label='Messages to the webhook'] .chip", "delivered")
            assert url in page.text("#main")
            assert SECRET not in page.evaluate("document.documentElement.outerHTML")
            page.shows("[aria-label='Messages to the webhook']", "HTTP 204")
            before = Receiver.received
            page.click("[aria-label='Messages to the webhook'] button")
            wait_until(lambda: Receiver.received > before, what="the message again")
            stack.http.post(f"/v1/jobs/{job_id}/cancel")
            page.shows("[aria-label='Messages to the webhook']", "job.cancelled")
        server.shutdown()
