"""What exports should take: constants at first, then what the last one took, larger for larger weights."""

import pytest

from worker.files.export_times import (
    BYTES_PER_SECOND,
    EVALUATION_SECONDS,
    MOST_SLOWER,
    OTHERS_SECONDS,
    USUAL_SECONDS,
    ExportTimes,
)


def test_a_process_that_exported_nothing_yet_goes_by_what_was_measured() -> None:
    expected = ExportTimes().expected_seconds(["weights.npz", "onnx"], weight_bytes=0)
    assert expected == pytest.approx(OTHERS_SECONDS + USUAL_SECONDS["onnx"])


def test_the_last_export_of_a_kind_tells_of_the_next_one_of_any_size() -> None:
    times = ExportTimes()
    times.took("onnx", 1.6, weight_bytes=int(BYTES_PER_SECOND))
    assert times.expected_seconds(["onnx"], weight_bytes=0) == pytest.approx(0.6)
    assert times.expected_seconds(["onnx"], weight_bytes=int(2 * BYTES_PER_SECOND)) == pytest.approx(2.6)


def test_an_export_that_waited_for_a_disk_is_not_expected_to_wait_again() -> None:
    times = ExportTimes()
    times.took("onnx", 600.0, weight_bytes=0)
    assert times.expected_seconds(["onnx"], weight_bytes=0) == pytest.approx(MOST_SLOWER * USUAL_SECONDS["onnx"])


def test_an_evaluation_tells_nothing_of_another_jobs() -> None:
    times = ExportTimes()
    times.took("evaluation.json", 60.0, weight_bytes=0)
    assert times.expected_seconds(["evaluation.json"], weight_bytes=0) == EVALUATION_SECONDS


def test_no_export_takes_less_than_no_time() -> None:
    times = ExportTimes()
    times.took("keras", 0.1, weight_bytes=int(BYTES_PER_SECOND))
    assert times.expected_seconds(["keras"], weight_bytes=0) == 0.0
