"""What `make build` does, for this machine: once for the same sources, however many test processes ask for it."""

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
KEPT = 4  # older builds that may still be in use: by another run, or with files of one's own


def built(own: Path | None = None) -> Path:
    """The folder that `sam build` filled, for an installation with these files of its own.

    Raises RuntimeError with the build's words when it failed.
    """
    if not SAM.exists():
        raise RuntimeError("there is no SAM CLI: run scripts/install aws")
    BUILDS.mkdir(parents=True, exist_ok=True)
    with (BUILDS / "turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        place = BUILDS / _sources(own)
        if not (place / "template.yaml").exists():
            _build(place, own)
            _forget_old(place)
        os.utime(place)
    return place


def _build(place: Path, own: Path | None) -> None:
    half_done = place.with_suffix(".new")
    shutil.rmtree(half_done, ignore_errors=True)
    done = run(BUILD_DIR=str(half_done), STAGE_DIR=str(_stage(place)), **({"OWN": str(own)} if own else {}))
    if done.returncode:
        raise RuntimeError(f"the build failed:\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}")
    half_done.rename(place)


def run(**variables: str) -> subprocess.CompletedProcess[str]:
    """infra/build for this machine, with these variables besides."""
    environment = {name: value for name, value in os.environ.items() if name != "OWN"}
    given = {"PYTHON": sys.executable, "RUNTIME": RUNTIME, "ARCHITECTURE": ARCHITECTURE, **variables}
    return subprocess.run(
        [ROOT / "infra" / "build"], env={**environment, **given}, capture_output=True, text=True, check=False
    )


def _stage(place: Path) -> Path:
    """Beside the bundles: their template names the state machine's definition in there."""
    return place.with_name(f"{place.name}-own")


def _sources(own: Path | None) -> str:
    """Changes with whatever goes into the bundles."""
    digest = hashlib.sha256(f"{RUNTIME} {ARCHITECTURE} {sys.version}".encode())
    for path in _files():
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    if own:
        for path in filter(Path.is_file, sorted(own.rglob("*"))):
            digest.update(path.relative_to(own).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _files() -> Iterator[Path]:
    for folder in ("src/dealerflow", "infra", "scripts/stage"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and not {"__pycache__", ".aws-sam", "samconfig.toml"} & set(path.parts):
                yield path
    yield from sorted((ROOT / "requirements").glob("lambda-*.txt"))


def _forget_old(newest: Path) -> None:
    others = [path for path in BUILDS.iterdir() if path.is_dir() and path not in (newest, BUILDS / "zips")]
    builds = [path for path in others if not path.name.endswith("-own")]
    for path in sorted(builds, key=lambda path: path.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)
        shutil.rmtree(_stage(path), ignore_errors=True)
