"""`sam build` for this machine: once for the same sources, however many test processes ask for it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.aws.emulator import ARCHITECTURE, ROOT, RUNTIME

BUILDS = ROOT / "build" / "emulator"
SAM = ROOT / ".venv-aws" / "bin" / "sam"
KEPT = 2  # older builds that may still be in use by another run


def built() -> Path:
    """The folder that `sam build` made. Raises RuntimeError with its words when it failed."""
    if not SAM.exists():
        raise RuntimeError("there is no SAM CLI: run scripts/install aws")
    BUILDS.mkdir(parents=True, exist_ok=True)
    with (BUILDS / "turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        place = BUILDS / _sources()
        if not (place / "template.yaml").exists():
            _build(place)
            _forget_old(place)
        os.utime(place)
    return place


def _build(place: Path) -> None:
    half_done = place.with_suffix(".new")
    shutil.rmtree(half_done, ignore_errors=True)
    done = subprocess.run(
        [
            SAM, "build", "--build-dir", half_done, "--parameter-overrides", f"Runtime={RUNTIME}",
            f"Architecture={ARCHITECTURE}",
        ],
        cwd=ROOT / "infra",
        env={
            **os.environ,
            "SAM_CLI_TELEMETRY": "0",
            "PYTHON": sys.executable,
            "DEALERFLOW_LAMBDA_RUNTIME": RUNTIME,
            "DEALERFLOW_LAMBDA_ARCHITECTURE": ARCHITECTURE,
        },
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"sam build failed:\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}")
    half_done.rename(place)


def _sources() -> str:
    """Changes with whatever goes into the bundles."""
    digest = hashlib.sha256(f"{RUNTIME} {ARCHITECTURE} {sys.version}".encode())
    for path in _files():
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _files() -> Iterator[Path]:
    for folder in ("src/dealerflow", "infra"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and not {"__pycache__", ".aws-sam"} & set(path.parts):
                yield path
    yield from sorted((ROOT / "requirements").glob("lambda-*.txt"))


def _forget_old(newest: Path) -> None:
    others = [path for path in BUILDS.iterdir() if path.is_dir() and path != newest and path.name != "zips"]
    for path in sorted(others, key=lambda path: path.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)
