"""One thread writes the checkpoints of all jobs."""

from structlog.testing import capture_logs

from worker.files.checkpoint_writer import CheckpointWriter


def test_what_was_left_is_written_in_turn_although_one_fails() -> None:
    written: list[int] = []
    writer = CheckpointWriter()
    writer.leave(lambda: written.append(1))
    writer.leave(lambda: written.append(1 // 0))
    writer.leave(lambda: written.append(2))
    with capture_logs() as logs:
        writer.start()
        writer.stop()
    assert written == [1, 2]
    assert [entry["event"] for entry in logs] == ["checkpoint_crashed"]
