"""Where this installation is found. Apart from the settings, so that the supervisor, which imports little,
can use it.
"""

from __future__ import annotations

from pathlib import Path

ADDRESS_FILE = "run/address"  # written by `serve`


def own_address(host: str, port: int) -> str:
    """Where a browser on this machine finds what listens on `host` and `port`."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not listened on
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def last_address(data: Path) -> str:
    """Where `serve` listens, or listened last; "" if it never did."""
    try:
        return (data / ADDRESS_FILE).read_text("utf-8").strip()
    except OSError:
        return ""


def note_address(data: Path, address: str) -> None:
    """Keep it for `last_address`."""
    path = data / ADDRESS_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(address + "\n", "utf-8")
    new.replace(path)
