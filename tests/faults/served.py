"""`dealerflow serve` as the processes that an installation really has, to be killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from dealerflow.application.access import issue_token
from dealerflow.composition.embedded import System
from dealerflow.composition.settings import settings_of

COMMAND = (sys.executable, "-m", "dealerflow.cli.main")
MODULES = {"web": "dealerflow.cli.web_process", "worker": "dealerflow.cli.worker_process"}
LOOK_EVERY_S = 0.02
START_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
CHILDREN_END_WITHIN_S = 5.0  # they are killed at once; a busy machine may need a while to clear them away
STAFF = {
    "northside": "dealer@northside.example",
    "harbour": "dealer@harbour.example",
    "lakeside": "dealer@lakeside.example",
    **{
        name: f"{name}@factory.example"
        for name in ("production", "line-a", "line-b", "quality", "delivery", "operator", "admin")
    },
}


def wait_until(condition: Callable[[], bool], what: str, seconds: float = START_WITHIN_S) -> None:
    """Look again and again; fails when it has not come true in so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}"
        time.sleep(LOOK_EVERY_S)


class Served:
    """One installation: data directory and port stay the same however often its processes die."""

    def __init__(self, data: Path, *options: str, **settings: str) -> None:
        """`options` of `serve`; `settings` by name, like `database_url`."""
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._options = options
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What its processes log."""
        return self.data.with_name(f"{self.data.name}.log")

    def said(self) -> str:
        """The end of what was logged, for a failure's sake."""
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def launch(self) -> None:
        """Start `serve`, without waiting for it."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *COMMAND,
                    "serve",
                    "--demo",
                    "--port",
                    str(self.port),
                    *self._options,
                    "--data",
                    str(self.data),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment(),
                start_new_session=True,  # a group of its own, that can be killed as a whole
            )

    def start(self) -> None:
        """Start `serve`, and wait until orders can be taken."""
        self.launch()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until orders can be taken."""

        def ready() -> bool:
            assert self.supervisor.poll() is None, f"serve ended:\n{self.said()}"
            try:
                return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
            except httpx.TransportError:
                return False

        wait_until(ready, f"{self.url} is ready")

    @property
    def supervisor(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def children(self) -> list[psutil.Process]:
        """The supervisor's children that are alive."""
        try:
            return [child for child in psutil.Process(self.supervisor.pid).children() if is_alive(child)]
        except psutil.NoSuchProcess:
            return []

    def child(self, kind: str) -> psutil.Process | None:
        """The web or a worker process; None while there is none."""
        for child in self.children():
            try:
                if MODULES[kind] in child.cmdline():
                    return child
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
        return None

    def kill(self, victim: str) -> None:
        """SIGKILL to "web", "worker", "supervisor" or "everything".

        What ends `serve` as a whole is started again, without waiting for it.
        """
        children = self.children()
        if victim in MODULES:
            self._kill_child(victim)
            return
        if victim == "supervisor":
            self.supervisor.kill()
        else:
            os.killpg(self.supervisor.pid, signal.SIGKILL)
        self.supervisor.wait()
        wait_until(
            lambda: not any(map(is_alive, children)),
            "the killed supervisor's children end",
            CHILDREN_END_WITHIN_S,
        )
        self.launch()

    def _kill_child(self, kind: str) -> None:
        found: list[psutil.Process] = []

        def there() -> bool:
            child = self.child(kind)
            found.extend([child] if child else [])
            return bool(found)

        wait_until(there, f"there is a {kind} process")
        found[0].send_signal(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, as a person stops it: its exit status. What does not end is killed."""
        self.supervisor.terminate()
        try:
            return self.supervisor.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL
        finally:
            self.clean_up()

    def clean_up(self) -> None:
        """Leave no process behind, whatever happened."""
        if self._process is not None:
            for child in self.children():
                child.kill()
            self._process.kill()
            self._process.wait()

    def environment(self) -> dict[str, str]:
        """What its processes, and commands beside them, find in their environment."""
        own = {f"DEALERFLOW_{name.upper()}": value for name, value in self._settings.items()}
        return {**os.environ, **own, "PYTHONUNBUFFERED": "1"}

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `dealerflow ARGUMENTS… --data DIR` beside it."""
        return subprocess.run(
            [*COMMAND, *arguments, "--data", str(self.data)],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @contextmanager
    def system(self) -> Iterator[System]:
        """The installation's parts, seen from this process."""
        own = {name: value for name, value in self._settings.items() if name != "smtp_url"}
        system = System(settings_of(self.data, {}, **own))
        try:
            yield system
        finally:
            system.close()

    def tokens(self) -> dict[str, str]:
        """A bearer token of each of the demo's people who play a part, by short name."""
        with self.system() as system, system.database.read() as work:
            accounts = {account.email: account for account in work.reference.accounts()}
            return {name: issue_token(accounts[email], system.secret) for name, email in STAFF.items()}

    @contextmanager
    def worker(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """`dealerflow work ARGUMENTS…` beside it, as long as the block lasts."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*COMMAND, "work", *arguments, "--data", str(self.data)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment(),
                start_new_session=True,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@contextmanager
def serving(data: Path, *options: str, **settings: str) -> Iterator[Served]:
    """A `serve` that is ready, as long as the block lasts; at the end it must stop as it was asked to."""
    served = Served(data, *options, **settings)
    try:
        served.start()
        yield served
        assert served.stop() == 0, served.said()
    finally:
        served.clean_up()


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; who has ended and is only waited for does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def as_one_line(found: Sequence[Mapping[str, Any]]) -> str:
    """A list of things, for a failure's sake."""
    return "; ".join(str(dict(one)) for one in found[:10])
