"""Dealerflow as its users run it: `dealerflow serve`, with the demo's data, over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from pysqlite3 import dbapi2 as sqlite

from benchmarks.load import ORDER, take_orders

WAIT_S = 120.0
COMMAND = [str(Path(sys.executable).parent / "dealerflow")]


@contextmanager
def serving(data: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A running installation: its address and its supervisor."""
    with subprocess.Popen(
        [*COMMAND, "serve", "--demo", "--port", "0", *options, "--data", str(data)],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as server:
        try:
            yield _address(data), server
        finally:
            server.terminate()
            server.wait(15)


def _address(data: Path) -> str:
    note = data / "run" / "address"
    for _ in _tries():
        if note.exists() and (url := note.read_text().strip()):
            try:
                if httpx.get(f"{url}/readyz").status_code == 200:
                    return url
            except httpx.TransportError:
                continue
    raise SystemExit("the server does not start")


def _tries() -> Iterator[None]:
    ends = time.perf_counter() + WAIT_S
    while time.perf_counter() < ends:
        yield
        time.sleep(0.01)


def start_to_first_order(directory: Path) -> float:
    """Seconds from starting a new installation to its first 202."""
    began = time.perf_counter()
    with serving(directory / "start") as (url, _):
        httpx.post(f"{url}/api/v1/orders", json=ORDER).raise_for_status()
        return time.perf_counter() - began


def idle_memory_mb(directory: Path) -> float:
    """Resident memory of all processes together, shared pages counted once (PSS), in MB. Linux only."""
    with serving(directory / "idle") as (url, server):
        httpx.post(f"{url}/api/v1/orders", json=ORDER).raise_for_status()
        return sum(_pss_kb(pid) for pid in _family(server.pid)) / 1024


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _pss_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def taken(directory: Path, seconds: float, *, keys: bool = False) -> dict[str, float]:
    """Orders taken, each validated, priced and on disk before its 202, while nothing is processed."""
    with serving(directory / f"taken{keys}", "--no-workers") as (url, _):
        return take_orders(url, seconds=seconds, keys=keys)


def taken_while_processing(directory: Path, seconds: float) -> dict[str, float]:
    """The same while a worker processes them: what is taken, and what is stored by the end of the load."""
    data = directory / "both"
    with serving(data) as (url, _):
        began = time.perf_counter()
        figures = take_orders(url, seconds=seconds)
        stored = _stored(data) / (time.perf_counter() - began)
        return {**figures, "stored_per_second": round(stored)}


def processed(directory: Path, orders: int) -> float:
    """Orders processed per second from a backlog: row, history, state machine, two mails queued and recorded."""
    data = directory / "backlog"
    with serving(data, "--no-workers") as (url, _):
        take_orders(url, most=orders)
    environment = {**os.environ, "DEALERFLOW_DATA": str(data)}
    with subprocess.Popen([*COMMAND, "work", "orders"], env=environment, stderr=subprocess.DEVNULL) as worker:
        try:
            for _ in _tries():
                if _stored(data):  # the start of the process is not what is measured
                    break
            first, began = _stored(data), time.perf_counter()
            for _ in _tries():
                if _stored(data) >= orders:
                    break
            return (orders - first) / (time.perf_counter() - began)
        finally:
            worker.terminate()
            worker.wait(15)


def _stored(data: Path) -> int:
    connection = sqlite.connect(f"file:{data / 'dealerflow.db'}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM orders").fetchone()[0])
    finally:
        connection.close()
