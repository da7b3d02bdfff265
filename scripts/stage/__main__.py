"""python -m scripts.stage FOLDER [--own OWN] [--partition aws-cn]: fill FOLDER for `infra/build`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dealerflow.domain.errors import DealerflowError
from scripts.stage.staging import stage


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.stage")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--own", type=Path)
    parser.add_argument("--partition", default="aws")
    asked = parser.parse_args(arguments)
    try:
        pipeline = stage(asked.folder, asked.own, asked.partition)
    except DealerflowError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"The pipeline is {pipeline.id}{f', of {asked.own}' if asked.own else ''}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
