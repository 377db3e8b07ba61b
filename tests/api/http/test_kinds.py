"""One table says which kind of problem answers which error."""

from api.http import kinds
from jobs import errors


def test_a_kind_has_the_code_of_its_error() -> None:
    assert [kind for kind in kinds.KINDS.values() if kind.error and kind.code != kind.error.code] == []


def test_an_error_is_answered_by_the_kind_of_its_nearest_class() -> None:
    assert kinds.kind_of(errors.InvalidSpec("no")) is kinds.INVALID_SPEC
    assert kinds.kind_of(errors.JobTooLarge("no", pointer="/model")) is kinds.JOB_TOO_LARGE
    assert kinds.kind_of(errors.DeviceUnavailable("no")) is kinds.DEVICE_UNAVAILABLE


def test_what_no_caller_should_meet_has_no_kind() -> None:
    for error in (errors.StaleFence("job_1", 1), errors.Stalled("no"), errors.Misconfigured("no")):
        assert kinds.kind_of(error) is None
    assert "stale_fence" not in kinds.KINDS
