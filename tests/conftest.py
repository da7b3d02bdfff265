"""What every test may ask for, and how hypothesis tries."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from tests.ministack import aws, ministack
from tests.postgres import postgres, postgres_url

__all__ = ["aws", "ministack", "postgres", "postgres_url"]

# No deadline: a busy machine is no fault of the code. HYPOTHESIS_PROFILE=long tries harder.
settings.register_profile(
    "short", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("long", settings.get_profile("short"), max_examples=5_000)
# Where others wait for the verdict the examples are the same each time; new ones are tried while one works.
settings.register_profile("ci", settings.get_profile("short"), derandomize=True, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "short"))
