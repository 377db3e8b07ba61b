"""The page on the Python client works as written: each program, in their order, with a real server and worker."""

import re
from pathlib import Path

import pytest

from gradientd.client import Client, errors
from tests.e2e.conftest import Stack

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "client.md").read_text("utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_every_program_runs(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRADIENTD_URL", f"http://127.0.0.1:{stack.port}")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    written: list[str] = []
    for number, program in enumerate(PROGRAMS):
        exec(compile(program, f"docs/client.md, program {number}", "exec"), names)
        written.append(capsys.readouterr().out)
    first, jobs, events, metrics, data, networks, further, asynchronous, refused, last = written
    assert first.startswith(f"http://127.0.0.1:{stack.port} 0.")
    assert re.search(
        r"^job_\w+ (queued|running)\nsucceeded 0\.\d+\n<job_\w+, succeeded \(completed\), softmax on", jobs
    )
    assert re.fullmatch(r"1 0\.\d+\n2 0\.\d+\n3 0\.\d+\n", events)
    assert "val_loss" in metrics
    assert (tmp_path / "curves.html").stat().st_size > 1000
    assert data.startswith("<sums@1, table, classification, 240 to train + 60 to test>\n[{'label': 'up'")
    assert (tmp_path / "model.onnx").stat().st_size > 1000
    assert re.fullmatch(
        r"<a network of 3 layers, 13,610 values> \(.*1/255.*softmax.*\)\n"
        r"conv2d\w* \[13, 13, 8\] 80\nflatten\w* \[1352\] 0\ndense\w* \[10\] 13530\n0\.[89]\d*\n",
        networks,
    )
    assert re.fullmatch(r"job_\w+ 5\nname='dense_1/kernel' shape=\(2, 64\) .*\nsucceeded succeeded \[\]\n", further)
    assert asynchronous.count("succeeded (completed), softmax") == 3
    assert "done\njob_" in asynchronous
    assert refused.startswith("invalid_spec [('/epochs', ")
    assert last == ""
    with Client() as client:
        assert [told.spec.dataset for told in client.list(dataset="sums")] == ["sums@1"] * 4
        client.delete_dataset("sums")


def test_every_call_and_error_is_named() -> None:
    calls = {name for name in dir(Client) if not name.startswith("_")} - {
        "poll",
        "predict_rows",
        "card_page",
    }
    assert {name for name in calls if not re.search(rf"\b{name}\b", PAGE)} == set()
    known = {
        name for name, kind in vars(errors).items() if isinstance(kind, type) and kind.__module__ == errors.__name__
    }
    assert {name for name in known if f"| `{name}` |" not in PAGE} == set()
