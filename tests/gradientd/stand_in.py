"""Small stand-ins for the API and the worker, and a stack made of them: `python stand_in.py stack DATA_DIR ...`.

The stand-in worker is alive while its name lies in DATA_DIR/workers; the stand-in API lists what lies there. Each
process appends a line to DATA_DIR/journal when it starts and when it is asked to end.
"""

import argparse
import asyncio
import http.server
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

DATA_DIR = Path(os.environ.get("GRADIENTD_DATA_DIR", "."))


def note(*words: object) -> None:
    """Append a line to the journal, in one write."""
    with (DATA_DIR / "journal").open("a") as journal:
        journal.write(" ".join(map(str, words)) + "\n")


def end_politely(name: str) -> None:
    """Note the request to end, and end."""

    def on_sigterm(*_: object) -> None:
        note("ends", name)
        os._exit(0)

    signal.signal(signal.SIGTERM, on_sigterm)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers /readyz and /v1/workers."""

    def do_GET(self) -> None:
        names = [file.name for file in (DATA_DIR / "workers").glob("*")]
        body = json.dumps({"object": "list", "data": [{"name": name} for name in names]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        pass


def api() -> None:
    end_politely("api")
    note("starts", "api", os.getpid())
    address = (os.environ["GRADIENTD_HOST"], int(os.environ["GRADIENTD_PORT"]))
    http.server.ThreadingHTTPServer(address, Handler).serve_forever()


def worker(*, stubborn: bool) -> None:
    """Registers, starts a grandchild as Celery does, and sleeps."""
    name = os.environ["GRADIENTD_WORKER_NAME"]
    if stubborn:
        signal.signal(signal.SIGTERM, lambda *_: note("ignores", name))
    else:
        end_politely(name)
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    note("starts", name, os.getpid(), os.environ["GRADIENTD_THREADS"])
    note("starts", "grandchild", grandchild.pid)
    (DATA_DIR / "workers").mkdir(exist_ok=True)
    (DATA_DIR / "workers" / name).touch()
    sys.stdout.write(f"hello from {name}\n")
    sys.stdout.flush()
    while True:
        time.sleep(600)


def stack(options: argparse.Namespace) -> int:
    """As `gradientd up`, with stand-ins and little patience."""
    # Here and not above: the stand-ins start in a fraction of the time without these.
    from gradientd.local.output import Stream
    from gradientd.local.service_runner import Patience
    from gradientd.local.stack import Plan, Stack
    from jobs.errors import GradientdError
    from jobs.settings import Settings

    settings = Settings(data_dir=options.data_dir, port=options.port)
    here = (sys.executable, __file__)
    plan = Plan(
        settings=settings,
        workers=options.workers,
        api_command=(*here, options.api, "."),
        worker_command=(*here, options.worker, "."),
        patience=Patience(first_pause_seconds=0.05),
    )
    output = Stream(sys.stdout)
    try:
        with Stack(plan, output=output) as running:
            asyncio.run(running.run(on_ready=lambda: output.say(f"up at {running.url}")))
    except GradientdError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--api", default="api")
    parser.add_argument("--worker", default="worker")
    options = parser.parse_args()
    match options.role:
        case "stack":
            sys.exit(stack(options))
        case "api":
            api()
        case "worker":
            worker(stubborn=False)
        case "stubborn":
            worker(stubborn=True)
        case "broken":
            sys.exit("cannot find the flux capacitor")


if __name__ == "__main__":
    main()
