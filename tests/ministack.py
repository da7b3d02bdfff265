"""An AWS for the tests: MiniStack, started as our own child from its own environment (`scripts/install aws`)."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

PROGRAM = Path(__file__).parents[1] / ".venv-ministack" / "bin" / "ministack"
REGION, ACCOUNT = "us-east-1", "000000000000"
START_TIMEOUT_SECONDS = 30
QUIET = {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "LOG_LEVEL": "WARNING"}


class MiniStack:
    """One emulator on a free port of this machine. `url` is the endpoint of every service."""

    def __init__(self, log: Path, **settings: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._unpacked = tempfile.mkdtemp(prefix="dealerflow-ministack-")  # functions: about 1 GB
        environment = {
            "PATH": os.environ["PATH"],
            "TMPDIR": self._unpacked,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            **QUIET,
            **settings,
        }
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [PROGRAM],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )
        self._log = log
        self._wait_until_ready()

    def reset(self) -> None:
        """Forget everything."""
        httpx.post(f"{self.url}/_ministack/reset").raise_for_status()

    def stop(self) -> None:
        """End it and what it started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._unpacked, ignore_errors=True)  # killed, it cannot do so itself

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                httpx.get(f"{self.url}/_ministack/health").raise_for_status()
                return
            except httpx.HTTPError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"MiniStack did not start:\n{self._log.read_text()[-2000:]}") from None
                time.sleep(0.02)


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    """This test process's own emulator."""
    if not PROGRAM.exists():
        pytest.fail("there is no MiniStack: run scripts/install aws")
    emulator = MiniStack(tmp_path_factory.mktemp("ministack") / "log")
    yield emulator
    emulator.stop()


@pytest.fixture
def aws(ministack: MiniStack, monkeypatch: pytest.MonkeyPatch) -> MiniStack:
    """An empty AWS, to which every client of this test speaks."""
    ministack.reset()
    for name, value in {
        "AWS_ENDPOINT_URL": ministack.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    return ministack
