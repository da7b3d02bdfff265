"""Ties a child process to its parent: when the parent dies, however it dies, the child ends within moments.

The child holds the reading end of a pipe whose writing end only the parent has: its end is the parent's end,
on every Unix. On Linux the kernel is asked for the same at the child's birth, because it also reaches a child
that is still starting, or whose Python is busy.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tie_at_birth() -> Callable[[], None] | None:
    """What `subprocess` is to call in a new child before its program begins (`preexec_fn`); None where the
    kernel knows nothing of the kind.

    It counts for the death of the thread that starts the child, so that must be the parent's main thread.
    """
    if sys.platform != "linux":
        return None
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None
    parent = os.getpid()

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)

    return tie


def hold(pipe: int) -> None:
    """End this process at once when nobody holds the other end of the pipe any more. What is in hand is
    safe: see crash tests.
    """
    threading.Thread(target=_watch, args=(pipe,), name="lifeline", daemon=True).start()


def _watch(pipe: int) -> None:
    while os.read(pipe, 1):
        pass
    os._exit(1)
