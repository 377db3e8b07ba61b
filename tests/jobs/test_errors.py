"""Errors: a class a cause, a code a class."""

from jobs import errors
from jobs.states import Reason


def classes() -> list[type[errors.GradientdError]]:
    return [
        error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, errors.GradientdError)
    ]


def test_no_two_errors_share_a_code() -> None:
    codes = [error.code for error in classes()]
    assert len(set(codes)) == len(codes)


def test_a_failed_trainings_code_is_a_reason() -> None:
    for error in classes():
        if issubclass(error, errors.TrainingFailed):
            assert Reason(error.code)
            assert error.title


def test_a_missing_device_is_a_refused_spec_as_well_as_a_failed_training() -> None:
    error = errors.DeviceUnavailable("no gpu:7 here")
    assert isinstance(error, errors.InvalidSpec)
    assert isinstance(error, errors.TrainingFailed)
    assert (error.code, error.pointer, str(error)) == ("device_unavailable", "/device", "no gpu:7 here")
