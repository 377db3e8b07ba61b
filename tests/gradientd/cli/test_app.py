"""The command line: outputs for people and for programs, and what the exit code tells."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gradientd import __version__
from gradientd.cli.app import app
from gradientd.cli.exit_codes import ExitCode
from gradientd.cli.watching import farewell
from jobs.datasets import CATALOGUE
from jobs.record import Device, Job, Worker
from jobs.spec import Spec
from jobs.states import Status
from jobs.wire import Dataset, Preset
from tests.conftest import free_port
from tests.gradientd.listing import Listing, listing
from tests.gradientd.samples import (
    JOB_ID,
    Route,
    dump,
    epoch_event,
    failed_job,
    one_after_another,
    sample_job,
    serving,
    status_event,
    succeeded_job,
)

JOB_PATH = f"/v1/jobs/{JOB_ID}"
HISTORY = [
    status_event(1, Status.QUEUED),
    status_event(2, Status.RUNNING, attempt=1),
    epoch_event(3, 3),
    status_event(4, Status.SUCCEEDED, attempt=1),
]


def gradientd(*arguments: str, routes: dict[str, Route] | None = None, stdin: str | None = None) -> Result:
    """Run the command against a server with these routes."""
    with serving(routes or {}) as url:
        return CliRunner().invoke(app, list(arguments), env={"GRADIENTD_URL": url}, input=stdin)


def running_job() -> Job:
    """A job that a worker has."""
    return sample_job(Status.RUNNING, worker="worker-1", attempt=1)


def training(*jobs: Any, submitted: list[Any] | None = None) -> dict[str, Route]:
    """A server that accepts a job and then shows it so, one after another."""

    def accept(body: Any) -> tuple[int, Any]:
        if submitted is not None:
            submitted.append(body)
        return 202, sample_job()

    return {
        "POST /v1/jobs": accept,
        f"GET {JOB_PATH}": one_after_another(*jobs),
        f"GET {JOB_PATH}/events": one_after_another(HISTORY[:2], HISTORY[2:], []),
    }


def test_train_watches_the_job_to_its_end() -> None:
    result = gradientd("train", "--epochs", "3", routes=training(running_job(), succeeded_job()))
    assert result.exit_code == ExitCode.SUCCEEDED
    assert result.stdout.splitlines()[0] == f"job {JOB_ID}"
    assert result.stdout.splitlines()[-1] == "succeeded: test accuracy 0.9612 after 3 of 3 epochs in 5.2 s"
    assert "\x1b" not in result.stdout
    assert "\r" not in result.stdout
    assert result.stderr == ""


def test_train_json_is_the_job_its_events_and_the_final_job() -> None:
    result = gradientd("train", "--json", routes=training(running_job(), succeeded_job()))
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    assert [document["object"] for document in documents] == [
        "training.job",
        *["training.event"] * 4,
        "training.job",
    ]
    assert [document["type"] for document in documents[1:-1]] == ["status", "status", "metric", "status"]
    assert documents[-1]["metrics"]["test_accuracy"] == 0.9612
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("job", "code"),
    [
        (failed_job(), ExitCode.FAILED),
        (sample_job(Status.CANCELLED), ExitCode.CANCELLED),
        (succeeded_job(), ExitCode.SUCCEEDED),
    ],
)
def test_the_exit_code_tells_how_the_job_ended(job: Any, code: ExitCode) -> None:
    assert gradientd("train", routes=training(job)).exit_code == code
    assert gradientd("show", JOB_ID, "--follow", routes=training(job)).exit_code == code
    assert gradientd("show", JOB_ID, routes=training(job)).exit_code == 0


def test_train_detach_prints_only_the_id() -> None:
    result = gradientd("train", "--detach", routes=training(succeeded_job()))
    assert result.stdout == f"{JOB_ID}\n"
    document = json.loads(gradientd("train", "--detach", "--json", routes=training(succeeded_job())).stdout)
    assert document["status"] == "queued"


def test_train_puts_the_spec_together(tmp_path: Path) -> None:
    submitted: list[Any] = []
    file = tmp_path / "spec.json"
    file.write_text('{"epochs": 1, "seed": 4, "optimizer": {"type": "sgd"}}')
    options = ["--epochs", "2", "--learning-rate", "0.5", "--metadata", "team=a", "--set", "seed=5"]
    gradientd("train", "--detach", "--file", str(file), *options, routes=training(submitted=submitted))
    assert submitted == [
        {
            "epochs": 2,
            "seed": 5,
            "optimizer": {"type": "sgd", "learning_rate": 0.5},
            "metadata": {"team": "a"},
        }
    ]


def test_train_reads_standard_input() -> None:
    submitted: list[Any] = []
    gradientd("train", "--detach", "--file", "-", routes=training(submitted=submitted), stdin='{"epochs": 7}')
    assert submitted == [{"epochs": 7}]


def test_an_option_within_an_object_is_made_to_what_the_server_would_take() -> None:
    submitted: list[Any] = []
    resolved = {"spec": {"optimizer": {"type": "adam", "learning_rate": 0.003, "beta_1": 0.8}}}
    answers = [(200, resolved), (202, sample_job())]

    def accept(body: Any) -> tuple[int, Any]:
        submitted.append(body)
        return answers.pop(0)

    gradientd("train", "--detach", "--learning-rate", "0.1", routes={"POST /v1/jobs": accept})
    assert submitted == [{}, {"optimizer": {"type": "adam", "learning_rate": 0.1, "beta_1": 0.8}}]


def test_a_refused_spec_names_each_field_on_stderr() -> None:
    problem = {
        "status": 422,
        "detail": "the spec is not valid",
        "errors": [{"pointer": "/epochs", "detail": "must be at least 1"}],
    }
    result = gradientd("train", "--epochs", "0", routes={"POST /v1/jobs": lambda body: (422, problem)})
    assert result.exit_code == ExitCode.REFUSED
    assert result.stderr == "the spec is not valid\n  epochs: must be at least 1\n"
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["train", "jobs", "workers", "presets"])
def test_no_server_is_one_line_on_stderr(command: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    result = CliRunner().invoke(app, [command, "--url", url])
    assert result.exit_code == ExitCode.UNREACHABLE
    assert result.stderr.startswith(f"no answer from {url}: connection refused")
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_an_unknown_job_is_refused() -> None:
    problem = {"status": 404, "code": "job_not_found", "detail": f"no job {JOB_ID!r} is known here"}
    result = gradientd("show", JOB_ID, routes={f"GET {JOB_PATH}": lambda body: (404, problem)})
    assert (result.exit_code, result.stderr) == (ExitCode.REFUSED, f"no job {JOB_ID!r} is known here\n")


@pytest.mark.parametrize("command", ["show", "metrics", "events", "checkpoints", "cancel", "pause", "resume", "delete"])
def test_every_command_finds_its_job_by_a_beginning_or_as_the_last(command: str) -> None:
    asked: list[str] = []
    problem = {"status": 418, "detail": "so far so good"}
    routes: dict[str, Route] = {
        f"{method} {JOB_PATH}{suffix}": lambda body: asked.append(JOB_ID) or (418, problem)
        for method in ("GET", "POST", "DELETE")
        for suffix in ("", f"/{command}")
    }
    routes["GET /v1/jobs"] = lambda body: (200, [sample_job()])
    for named in (JOB_ID[:12], JOB_ID[4:12].lower(), "last", JOB_ID):
        result = gradientd(command, named, routes=routes)
        assert (result.exit_code, result.stderr) == (ExitCode.REFUSED, "so far so good\n")
    assert asked == [JOB_ID] * 4


def test_what_names_no_job_is_told_with_those_there_are() -> None:
    routes: dict[str, Route] = {"GET /v1/jobs": lambda body: (200, [sample_job()])}
    result = gradientd("cancel", "01KB", routes=routes)
    assert result.exit_code == ExitCode.REFUSED
    assert result.stderr == f"no job's id is or begins with '01KB'; the newest are {JOB_ID}\n"


@pytest.mark.parametrize(
    "arguments",
    [["train", "--set", "epochs"], ["train", "--file", "/nowhere.json"], ["jobs", "--limit", "0"], ["sing"]],
)
def test_bad_usage_is_told_without_a_traceback(arguments: list[str]) -> None:
    result = gradientd(*arguments)
    assert result.exit_code == ExitCode.REFUSED
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_jobs_are_a_table_or_json() -> None:
    job = succeeded_job().model_copy(update={"metadata": {"team": "a"}, "created_at": datetime.now(UTC)})
    routes: dict[str, Route] = {"GET /v1/jobs": lambda body: (200, [job])}
    heading, row = gradientd("jobs", routes=routes).stdout.splitlines()
    assert heading.split() == ["id", "status", "done", "model", "dataset", "accuracy", "created", "labels"]
    assert row.split()[:6] == [JOB_ID, "succeeded", "100%", "mlp", "mnist-10k", "0.9612"]
    assert row.endswith("ago  team=a")
    assert json.loads(gradientd("jobs", "--json", routes=routes).stdout)["data"][0]["id"] == JOB_ID


def test_show_tells_what_is_known() -> None:
    result = gradientd("show", JOB_ID, routes=training(failed_job()))
    assert result.exit_code == 0
    assert "status    failed" in result.stdout
    assert '"model": {"type": "mlp"}' in result.stdout
    assert "ended     failed: Loss is not finite: the loss became nan at step 7" in result.stdout
    assert json.loads(gradientd("show", JOB_ID, "--json", routes=training(failed_job())).stdout)["status"] == "failed"


def test_cancel_waits_if_told_to() -> None:
    routes = training(sample_job(Status.CANCELLING), sample_job(Status.CANCELLED))
    routes[f"POST {JOB_PATH}/cancel"] = lambda body: (202, sample_job(Status.CANCELLING))
    assert gradientd("cancel", JOB_ID, routes=routes).stdout == f"{JOB_ID} cancelling\n"
    result = gradientd("cancel", JOB_ID, "--wait", routes=routes)
    assert (result.exit_code, result.stdout) == (0, f"{JOB_ID} cancelled\n")


def test_pause_and_resume_tell_the_status() -> None:
    routes = training(sample_job(Status.PAUSED))
    routes[f"POST {JOB_PATH}/pause"] = lambda body: (202, sample_job(Status.PAUSING))
    routes[f"POST {JOB_PATH}/resume"] = lambda body: (200, sample_job(Status.QUEUED))
    assert gradientd("pause", JOB_ID, routes=routes).stdout == f"{JOB_ID} pausing\n"
    assert json.loads(gradientd("resume", JOB_ID, "--json", routes=routes).stdout)["status"] == "queued"


def test_workers_are_a_table_or_json() -> None:
    worker = Worker(
        name="worker-1-ab12",
        host="here",
        pid=7,
        devices=(Device(name="/device:GPU:0", kind="gpu", model="H100", memory_bytes=2**31),),
        threads=2,
        tensorflow="2.21.0",
        status="idle",
        started_at=datetime.now(UTC),
        last_heartbeat_at=datetime.now(UTC),
    )
    routes: dict[str, Route] = {"GET /v1/workers": lambda body: (200, [worker])}
    assert "gpu (H100, 2,048 MiB in use)" in gradientd("workers", routes=routes).stdout
    assert json.loads(gradientd("workers", "--json", routes=routes).stdout)["data"][0]["name"] == "worker-1-ab12"


def test_presets_are_a_table_or_json() -> None:
    preset = Preset(name="textbook", description="x", spec=Spec(epochs=3))
    routes: dict[str, Route] = {"GET /v1/presets": lambda body: (200, [preset])}
    assert gradientd("presets", routes=routes).stdout.splitlines()[1].split() == ["textbook", "x"]
    assert json.loads(gradientd("presets", "--json", routes=routes).stdout) == dump([preset])


def test_version_is_the_packages() -> None:
    assert gradientd("version").stdout == f"gradientd {__version__}\n"
    assert gradientd("--version").stdout == f"gradientd {__version__}\n"
    assert json.loads(gradientd("version", "--json").stdout) == {"version": __version__}


def test_help_documents_the_exit_codes() -> None:
    text = " ".join(gradientd("--help").stdout.split())
    assert "2 bad usage, or the server refused; 3 the job was cancelled, or the question" in text
    assert "nothing was done; 4 the server cannot be reached; 130 interrupted; 141 who read the output" in text


def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIENTD_PORT", "http")
    result = CliRunner().invoke(app, ["up"])
    assert result.exit_code == ExitCode.REFUSED
    assert result.stderr == "a setting cannot be used: GRADIENTD_PORT: must be a whole number\n"


def test_an_interruption_leaves_the_job_running_and_says_how_to_go_on() -> None:
    with serving(training(sample_job(Status.RUNNING))) as url:
        command = [sys.executable, "-m", "gradientd", "train", "--url", url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as train:
            try:
                assert train.stdout is not None
                assert [train.stdout.readline() for _ in range(2)] == [f"job {JOB_ID}\n", "queued\n"]
                train.send_signal(signal.SIGINT)
                said = train.communicate(timeout=30)[1]
                assert train.returncode == ExitCode.INTERRUPTED
            finally:
                train.kill()  # one that ignores the signal, as begun by `nohup`, must fail this test and not hang it
    assert "the job goes on" in said
    assert f"gradientd cancel {JOB_ID}" in said
    assert "Traceback" not in said


def test_an_interruption_names_the_server_that_was_named() -> None:
    (blank, first, follow, stop) = farewell(JOB_ID, url="http://train.test:9", api_key="gd_secret")
    assert (blank, first) == ("", "the job goes on")
    assert follow == f"  follow it: gradientd show {JOB_ID} --follow --url http://train.test:9 --api-key KEY"
    assert stop == f"  stop it:   gradientd cancel {JOB_ID} --url http://train.test:9 --api-key KEY"


def test_an_interruption_names_no_server_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIENTD_URL", "http://train.test/")
    monkeypatch.setenv("GRADIENTD_API_KEY", "gd_secret")
    assert farewell(JOB_ID, url="http://train.test", api_key="gd_secret")[2].endswith(f"show {JOB_ID} --follow")
    monkeypatch.delenv("GRADIENTD_URL")
    assert farewell(JOB_ID, url="http://127.0.0.1:8000", api_key=None)[2].endswith(f"show {JOB_ID} --follow")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trian"], "No such command 'trian'; did you mean 'train'?"),
        (["keys", "lst"], "No such command 'lst'; did you mean 'list'?"),
        (["train", "--epoch", "3"], "there is no option --epoch; did you mean '--epochs'?"),
        (["jobs", "--status", "runing"], "did you mean 'running'?"),
        (["train", "--epochs", "many"], "--epochs: must be a whole number"),
        (["train", "--learning-rate", "small"], "--learning-rate: must be a number"),
        (["jobs", "--limit", "0"], "--limit: must be at least 1"),
        (["jobs", "--metadata", "team"], "--metadata: 'team' is not of the form key=value"),
        (["keys", "create", "--owner", "me", "--scopes", "raed"], "did you mean 'read'?"),
        (["train", "--file", "nowhere.json"], "--file: cannot read nowhere.json: No such file or directory"),
        (["show"], "Missing argument 'JOB'."),
    ],
)
def test_bad_usage_is_told_in_our_words_with_what_was_meant(arguments: list[str], said: str) -> None:
    result = gradientd(*arguments)
    first, second = result.stderr.splitlines()
    assert first.endswith(said)
    assert second.startswith("  how to use it: ")
    assert second.endswith(" --help")
    assert "Input" not in result.output
    assert result.exit_code == ExitCode.REFUSED


def test_a_refused_spec_is_told_once_with_what_was_meant() -> None:
    detail = "no preset 'mnist99'; known here: textbook, mnist-99, mnist-best"
    problem = {"status": 422, "title": "Preset is not known", "detail": detail}
    problem["errors"] = [{"pointer": "/preset", "detail": detail}]
    result = gradientd("train", "--preset", "mnist99", routes={"POST /v1/jobs": lambda body: (422, problem)})
    assert result.stderr == f"preset: {detail}; did you mean 'mnist-99'?\n"


def test_a_misspelt_field_is_told_with_what_was_meant() -> None:
    field = {"pointer": "/epoch", "detail": "There is no such field"}
    problem = {"status": 422, "detail": "/epoch: There is no such field", "errors": [field]}
    result = gradientd("train", "--set", "epoch=3", routes={"POST /v1/jobs": lambda body: (422, problem)})
    assert result.stderr == "epoch: there is no such field; did you mean 'epochs'?\n"


def test_no_command_shows_the_help() -> None:
    result = gradientd()
    assert result.exit_code == ExitCode.REFUSED
    assert "Commands" in result.output
    assert result.output.count("Usage:") == 1


def test_delete_says_what_is_gone() -> None:
    routes: dict[str, Route] = {f"DELETE {JOB_PATH}": lambda body: (204, None)}
    assert gradientd("delete", JOB_ID, routes=routes).stdout == f"{JOB_ID} is deleted\n"
    assert json.loads(gradientd("delete", JOB_ID, "--json", routes=routes).stdout) == {"id": JOB_ID, "deleted": True}


def test_datasets_are_a_table_or_json() -> None:
    dataset = Dataset.of(CATALOGUE["mnist-10k"])
    routes: dict[str, Route] = {"GET /v1/datasets": lambda body: (200, [dataset])}
    assert gradientd("datasets", routes=routes).stdout.splitlines()[1].split()[:3] == ["mnist-10k", "9,000", "1,000"]
    assert json.loads(gradientd("datasets", "--json", routes=routes).stdout) == dump([dataset])


@pytest.mark.parametrize("command", ["up", "demo", "keys list"])
def test_no_name_of_a_folder_is_not_the_current_one(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [*command.split(), "--data-dir", ""])
    assert result.exit_code == ExitCode.REFUSED
    assert "must name a folder" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--learning-rate", "nan"], "optimizer.learning_rate must be a finite number, not nan"),
        (["train", "--set", "epochs=NaN"], "epochs must be a finite number, not nan"),
        (["train", "--set", "model.hidden=[1,Infinity]"], "model.hidden.1 must be a finite number, not inf"),
        (["train", "--file", "-"], "epochs must be a finite number, not nan"),
        (["train", "--metadata", "a=\udcff"], "metadata.a must be text in UTF-8, not '\\udcff'"),
        (["jobs", "-l", "a=\udcff"], "not text in UTF-8: '\\udcff'"),
        (["jobs", "--url", "ftp://x"], "'ftp://x' is not the URL of a server: it must begin with http://"),
        (["jobs", "--url", ""], "'' is not the URL of a server: it must begin with http://"),
        (["export"], "No such command 'export'"),
    ],
)
def test_what_cannot_be_sent_is_bad_usage(arguments: list[str], said: str) -> None:
    done = gradientd(*arguments, stdin='{"epochs": NaN}')
    assert (done.exit_code, done.stderr.splitlines()[0]) == (ExitCode.REFUSED, said)


def test_an_older_server_is_named_as_such() -> None:
    def refused(body: Any) -> tuple[int, Any]:
        return 404, {"code": "route_not_found", "status": 404, "detail": "There is nothing at this path"}

    routes: dict[str, Route] = {"GET /v1/presets": refused, "GET /healthz": lambda body: (200, {"version": "0.0.1"})}
    done = gradientd("presets", routes=routes)
    assert done.exit_code == ExitCode.REFUSED
    assert "this server does not know GET /v1/presets: it is gradientd 0.0.1" in done.stderr


def test_the_default_order_is_not_asked_for() -> None:
    jobs = Listing.of([])
    with listing(jobs) as url:
        CliRunner().invoke(app, ["jobs"], env={"GRADIENTD_URL": url})
    assert "order" not in jobs.queries[0]


def test_ctrl_c_while_the_modules_come_in_is_silence() -> None:
    interrupted = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'jobs.presets': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from gradientd.cli.app import app\n"
    )
    done = subprocess.run([sys.executable, "-c", interrupted], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


def test_only_the_command_by_its_name_is_completed() -> None:
    command = [sys.executable, "-m", "gradientd", "--show-completion"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (ExitCode.REFUSED, "")
    assert "not python -m gradientd" in done.stderr
