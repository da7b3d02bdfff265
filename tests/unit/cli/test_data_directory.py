from __future__ import annotations

from pathlib import Path

from dealerflow.cli.serve import make_directory


def test_a_new_data_directory_is_its_owners_alone(tmp_path: Path) -> None:
    data = tmp_path / "of" / "dealerflow"
    make_directory(data)
    assert data.stat().st_mode & 0o777 == 0o700
    assert (data / "run").is_dir()
