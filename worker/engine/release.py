"""Lets go of what the engine keeps from one job to the next."""

from worker.engine import device_data, program


def release() -> None:
    """Forget programs and the datasets on devices: the next job makes its own again."""
    program.forget()
    device_data.forget()
