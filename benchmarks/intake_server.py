"""The server that `benchmarks.intake` drives: the web application over the demo's data, without workers.

python -m benchmarks.intake_server DIRECTORY PORT
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn

from tests.web.harness import WebTestSystem


def main(directory: str, port: str) -> None:
    """Serve until SIGTERM."""
    data = Path(directory)
    system = WebTestSystem(f"sqlite:///{data / 'dealerflow.db'}", data)
    try:
        uvicorn.run(
            system.app, port=int(port), loop="uvloop", http="httptools", access_log=False, log_level="warning"
        )
    finally:
        system.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
