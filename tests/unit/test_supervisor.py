from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from dealerflow.adapters.embedded import supervisor, worker
from dealerflow.adapters.embedded.supervisor import MAX_DELAY_S, restart_delay

# A supervisor of children that do what `sys.argv[1]` says, run as a program because it owns its process's
# signals.
PROGRAM = """
import logging, os, sys
from dealerflow.adapters.embedded.supervisor import Child, Supervisor
logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stdout)
children = [Child(f"child {n}", [sys.executable, "-c", code]) for n, code in enumerate(sys.argv[1:], 1)]
sys.exit(Supervisor(children, environment=os.environ).run())
"""
# Each says its line in one write: several share the pipe, and where Python does not buffer, print makes two of it.
LIVES_ON = "import os, signal; os.write(1, b'alive\\n'); signal.pause()"
DIES = "import os; os._exit(3)"
IS_HOPELESS = "import os; os._exit(78)"
# Ends only on the third SIGTERM, or SIGKILL.
IS_DEAF = "import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.write(1, b'deaf\\n'); signal.pause()"


def test_the_first_death_is_taken_for_an_accident() -> None:
    assert restart_delay(0) == 0


def test_what_dies_at_once_again_and_again_is_started_later_and_later() -> None:
    delays = [restart_delay(deaths) for deaths in range(1, 12)]
    assert delays == sorted(delays)
    assert delays[0] == 0.1
    assert delays[-1] == MAX_DELAY_S


class Run:
    """A running supervisor, and what it and its children said so far."""

    def __init__(self, *children: str) -> None:
        reading, writing = os.pipe()
        self.pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-c", PROGRAM, *children],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)],
        )
        os.close(writing)
        self._output = os.fdopen(reading, "r")
        self.said: list[str] = []

    def until(self, word: str) -> str:
        """Read until somebody says this; the line."""
        for line in self._output:
            self.said.append(line.strip())
            if word in line:
                return line
        raise AssertionError(f"nobody said {word!r}: {self.said}")

    def end(self) -> int:
        """The exit status, once everybody has ended."""
        self.said += [line.strip() for line in self._output]
        self._output.close()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_sigterm_ends_every_child_and_then_the_supervisor() -> None:
    run = Run(LIVES_ON, LIVES_ON)
    run.until("alive")
    run.until("alive")
    os.kill(run.pid, signal.SIGTERM)
    os.kill(run.pid, signal.SIGTERM)  # more than one is as good as one
    assert run.end() == 0
    assert {"child 1 ended", "child 2 ended"} <= set(run.said)


def test_a_child_that_dies_is_started_again_and_the_others_live_on() -> None:
    run = Run(DIES, LIVES_ON)
    run.until("child 1 died (status 3); starting again in 0.0 s")
    run.until("child 1 died (status 3); starting again in 0.1 s")
    os.kill(run.pid, signal.SIGTERM)
    assert run.end() == 0
    assert [line for line in run.said if line.startswith("child 2 died")] == []


def test_a_child_that_cannot_work_ends_the_whole() -> None:
    run = Run(LIVES_ON, IS_HOPELESS)
    assert run.end() == 1
    assert "stopping: child 2 cannot work" in run.said


def test_a_second_ctrl_c_does_not_wait() -> None:
    run = Run(IS_DEAF)
    run.until("deaf")
    os.kill(run.pid, signal.SIGINT)
    run.until("stopping: SIGINT")
    os.kill(run.pid, signal.SIGINT)
    assert run.end() == 0
    assert "child 1 does not end; killed" in run.said


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGABRT])
def test_children_end_with_their_supervisor_however_it_dies(how: signal.Signals) -> None:
    tied = (
        "import os, signal; from dealerflow.adapters.embedded import lifeline; "
        "lifeline.hold(int(os.environ['DEALERFLOW_LIFELINE'])); os.write(1, b'tied\\n'); signal.pause()"
    )
    run = Run(tied, tied)
    run.until("tied")
    run.until("tied")
    os.kill(run.pid, how)
    # They hold the other end of the pipe that is read here: it only ends when they have.
    assert run.end() == -how


# SIGTERM arrives while the first of two children is being started.
TOLD_TO_STOP_MEANWHILE = """
import logging, os, signal, sys
from dealerflow.adapters.embedded.supervisor import Child, Supervisor
logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stdout)
class Untimely(list):
    def __iter__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        return super().__iter__()
lives_on = [sys.executable, "-c", "import signal; signal.pause()"]
children = [Child("child 1", Untimely(lives_on)), Child("child 2", lives_on)]
sys.exit(Supervisor(children, environment=os.environ).run())
"""


def test_a_worker_gives_up_waiting_before_the_supervisor_kills_it() -> None:
    assert worker.STOP_WITHIN_S < supervisor.STOP_WITHIN_S


def test_a_child_that_is_just_being_started_is_told_to_stop_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TOLD_TO_STOP_MEANWHILE],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "killed" not in done.stdout
    assert "stopping: SIGTERM" in done.stdout
    assert "child 2 started" not in done.stdout


def test_the_supervisor_imports_next_to_nothing() -> None:
    """It lives as long as all of it, and should be small."""
    code = "import sys, dealerflow.cli.supervise; print(' '.join(sys.modules))"
    reading, writing = os.pipe()
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", code],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)],
    )
    os.close(writing)
    with os.fdopen(reading) as output:
        loaded = set(output.read().split())
    assert os.waitpid(pid, 0)[1] == 0
    assert not loaded & {"sqlalchemy", "typer", "litestar", "uvicorn", "asyncio", "alembic", "yaml", "httpx"}
