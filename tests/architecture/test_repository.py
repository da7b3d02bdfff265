"""What is committed: locks without download addresses, no path of one machine, documents that are true."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Written in two parts, so that this file does not trip over itself.
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "yarn" + "pkg.com",
    "deb." + "debian.org",
    "crates" + ".io",
]
INDEX_OPTION = re.compile(r"--(extra-)?index-url\b|--find-links\b|--trusted-host\b")
# Folders in which people and machines keep work. A path below one of them means nothing on another machine.
WORKPLACE = re.compile(r"""(?<![\w.:/-])/(?:home|Users|root|work|workspace|mnt|opt)/[\w.-]+""")


def committed_texts() -> list[tuple[str, str]]:
    """Every committed text file as (path, text); pictures and other binary files are left out."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    texts = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in (raw := path.read_bytes()):
            texts.append((name, raw.decode()))
    assert any(name == "pyproject.toml" for name, _ in texts), "git did not list this repository"
    return texts


def places(pattern: str | re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in committed_texts()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]


@pytest.mark.parametrize("registry", REGISTRIES)
def test_no_file_names_a_package_registry(registry: str) -> None:
    assert places(re.escape(registry)) == []


def test_no_file_has_an_absolute_path_of_a_workplace() -> None:
    assert places(WORKPLACE) == []


def test_the_search_for_workplace_paths_finds_them() -> None:
    for folder in ("/home", "/root", "/Users"):
        assert WORKPLACE.search(f'open("{folder}/somebody/notes.txt")')
    assert not WORKPLACE.search("GET /api/v1/work/queue and src/home/page.py")


LOCKS = sorted(path.name for path in (ROOT / "requirements").glob("*.txt"))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_every_package_by_version_and_hash(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    assert not INDEX_OPTION.search(text)
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    for entry in entries:
        assert re.match(r"[a-z0-9][a-z0-9.-]*==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_locks_of_one_environment_agree_on_the_packages_they_share() -> None:
    together = [name for name in LOCKS if name.startswith(("runtime", "test", "lambda-"))]
    assert len(together) > 2
    versions: dict[str, set[str]] = {}
    for name in together:  # the tools for AWS and its stand-in have environments of their own
        for package, version in pins(ROOT / "requirements" / name).items():
            versions.setdefault(package, set()).add(version)
    assert {package: found for package, found in versions.items() if len(found) > 1} == {}


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9][a-z0-9.-]*)==([^\s;]+)", lock.read_text(), flags=re.MULTILINE))


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def test_every_make_target_says_what_it_is_for() -> None:
    # As typed at a prompt: a make that is called by make (as in `make test`) says more.
    prompt = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    described = subprocess.run(
        ["make", "help"], cwd=ROOT, env=prompt, capture_output=True, text=True, check=True
    ).stdout
    assert make_targets() == {line.split()[0] for line in described.splitlines()[1:]}


def test_every_make_command_in_the_documents_exists() -> None:
    documents = [(name, text) for name, text in committed_texts() if name.endswith(".md")]
    named = {
        (name, target)
        for name, text in documents
        for target in re.findall(r"(?:`|^|\$ )make ([a-z][a-z-]*)", text, flags=re.MULTILINE)
    }
    assert ("docs/how-to/develop.md", "test") in named, "the documents no longer name `make test`"
    assert {(name, target) for name, target in named if target not in make_targets()} == set()


def test_ci_runs_what_everyone_runs() -> None:
    assert "exec make test" in (ROOT / ".ci" / "run").read_text().splitlines()
