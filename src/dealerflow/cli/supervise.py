"""`python -m dealerflow.cli.supervise PLAN`: what `dealerflow serve` turns into. It imports little: it stays
small.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping

from msgspec.structs import replace

from dealerflow.adapters.embedded.liveness import DirectoryLock
from dealerflow.adapters.embedded.supervisor import Child, Supervisor
from dealerflow.cli.plan import Plan, given_plan
from dealerflow.composition.address import note_address, own_address
from dealerflow.composition.logs import configure
from dealerflow.domain.errors import DealerflowError

WAITING_CONNECTIONS = 2048


class CannotListen(DealerflowError):
    """Nothing can be served at this address."""


def main() -> int:
    """Serve until a signal comes; the exit status."""
    plan = given_plan()
    configure(plan.log_level, "supervisor")
    lock = DirectoryLock(plan.directory)
    try:
        lock.acquire()
        listening = listen(plan.host, plan.port)
    except DealerflowError as error:
        sys.stderr.write(f"{error.detail}\n")
        return 1
    plan = replace(plan, port=listening.getsockname()[1], socket=listening.fileno())
    note_address(plan.directory, own_address(plan.host, plan.port))
    try:
        return Supervisor(
            children(plan), environment=environment(plan, os.environ), descriptors=[plan.socket]
        ).run()
    finally:
        listening.close()
        lock.release()


def environment(plan: Plan, own: Mapping[str, str]) -> dict[str, str]:
    """What the children are told, beside their plan."""
    told = {**own, "DEALERFLOW_HOST": plan.host, "DEALERFLOW_PORT": str(plan.port)}
    if plan.demo:  # it listens on this machine only, and who tries a webhook here has its receiver here too
        told.setdefault("DEALERFLOW_WEBHOOKS_TO_PRIVATE_ADDRESSES", "true")
    return told


def children(plan: Plan) -> list[Child]:
    """The web process and the workers."""
    web = Child("web", plan.command("dealerflow.cli.web_process"))
    workers = [
        Child(
            f"worker {number}" if plan.workers > 1 else "worker",
            plan.command("dealerflow.cli.worker_process"),
        )
        for number in range(1, plan.workers + 1)
    ]
    return [web, *workers]


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. It belongs to the parent: while the web process is started again, callers wait.
    Raises CannotListen.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(address[:2], family=family, backlog=WAITING_CONNECTIONS)
    except OSError as error:
        raise CannotListen(
            f"cannot listen on {host}, port {port}: {_reason(error)}; "
            "choose another with --host and --port, or stop what uses it"
        ) from error
    return listening


def _reason(error: OSError) -> str:
    in_words = error.errno is not None and not isinstance(error, socket.gaierror)
    return os.strerror(error.errno or 0) if in_words else str(error.strerror)


if __name__ == "__main__":
    sys.exit(main())
