"""No child outlives its supervisor."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.faults.served import Served, is_alive, serving, wait_until


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere a child ends as soon as it runs: it reads a pipe"
)
def test_a_child_that_is_still_starting_dies_with_its_supervisor(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as served:
        worker = served.child("worker")
        assert worker is not None
        worker.kill()
        wait_until(lambda: was_started_again(served, worker.pid), "the worker is started again")
        starting = served.child("worker")
        assert starting is not None
        starting.send_signal(signal.SIGSTOP)  # it gets to run nothing of its own any more
        served.supervisor.kill()
        served.supervisor.wait()
        try:
            wait_until(lambda: not is_alive(starting), "the child has ended", 5.0)
        finally:
            starting.kill()
        served.start()


def was_started_again(served: Served, before: int) -> bool:
    worker = served.child("worker")
    return worker is not None and worker.pid != before
