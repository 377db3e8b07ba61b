"""Where settings come from."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.errors import Misconfigured
from jobs.settings import Settings, load_settings


def test_a_path_may_have_any_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/d\xff")
    monkeypatch.setenv("GRADIENTD_DATA_DIR", odd)
    monkeypatch.setenv("GRADIENTD_LOCK_DIR", odd)
    assert (Settings().data_dir, Settings().lock_dir) == (Path(odd), Path(odd))
    assert Settings(data_dir=Path(odd)).data_dir == Path(odd)


def test_a_file_may_hold_a_setting_and_a_variable_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "gradientd_redis_url").write_text("redis://:secret@redis:6379/0\n")
    monkeypatch.setenv("GRADIENTD_SECRETS_DIR", str(tmp_path))
    settings = Settings()
    assert settings.redis_url.get_secret_value() == "redis://:secret@redis:6379/0"
    assert "redis_url" in settings.model_fields_set
    monkeypatch.setenv("GRADIENTD_REDIS_URL", "redis://other/0")
    assert Settings().redis_url.get_secret_value() == "redis://other/0"


def test_a_folder_for_secrets_that_is_not_there_holds_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADIENTD_SECRETS_DIR", str(tmp_path / "none"))
    assert "redis_url" not in Settings().model_fields_set


def test_what_cannot_be_used_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIENTD_PORT", "http")
    monkeypatch.setenv("GRADIENTD_MAX_RUNTIME_SECONDS", "1000000000")
    with pytest.raises(Misconfigured) as refused:
        load_settings(in_words=str.upper)
    assert "GRADIENTD_PORT: INPUT SHOULD BE A VALID INTEGER" in str(refused.value)
    assert "GRADIENTD_MAX_RUNTIME_SECONDS: INPUT SHOULD BE LESS THAN OR EQUAL TO 2592000" in str(refused.value)


@pytest.mark.parametrize("part", ["api", "worker"])
def test_a_part_that_cannot_use_a_setting_says_so_and_ends(part: str) -> None:
    environment = {**os.environ, "GRADIENTD_PORT": "http"}
    command = [sys.executable, "-m", part]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"python -m {part}: a setting cannot be used: GRADIENTD_PORT: ")
    assert len(done.stderr.splitlines()) == 1
