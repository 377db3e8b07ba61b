"""What tests of leases, and of what is reported under them, share."""

from collections.abc import Iterator

import pytest

from worker.lease.renewer import LeaseRenewer


@pytest.fixture
def renewer() -> Iterator[LeaseRenewer]:
    """A running one."""
    renewer = LeaseRenewer()
    renewer.start()
    yield renewer
    renewer.stop()
