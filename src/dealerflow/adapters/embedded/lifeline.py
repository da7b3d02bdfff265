"""Ties a child process to its parent: when the parent dies, however it dies, the child ends within moments.

The child holds the reading end of a pipe whose writing end only the parent has: its end is the parent's end,
on every Unix. On Linux the kernel is asked for the same, because it also reaches a child whose Python is
busy.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def hold(pipe: int) -> None:
    """End this process at once when nobody holds the other end of the pipe any more. What is in hand is
    safe: see crash tests.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(pipe,), name="lifeline", daemon=True).start()


def _watch(pipe: int) -> None:
    while os.read(pipe, 1):
        pass
    os._exit(1)
