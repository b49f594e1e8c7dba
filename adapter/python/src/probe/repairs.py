"""What pydevd does not do, or does wrong, in programs of coroutines. Each of its internals is looked for when it is
needed."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any

from .link import Refused, answers
from .objects import frame_of
from .roster import Threads, all_loops

# Breakpoints in functions whose coroutines have begun.

#: What is to be done when breakpoints were set.
on_set: list[Callable[[], None]] = []


@answers("retrace")
def breakpoints_set() -> int:
    """Breakpoints were set: they are to hold for calls that have begun."""
    for again in on_set:
        again()
    return retrace()


def retrace() -> int:
    """Has pydevd look for breakpoints in every function of which a call has begun; in how many it did.

    From Python 3.12 on pydevd decides when a call begins whether a function has breakpoints, and for suspended
    coroutines and generators not again: a breakpoint that is set while one waits would not be hit by it.
    """
    if sys.version_info < (3, 12):
        return 0
    pydevd = sys.modules.get("_pydevd_sys_monitoring.pydevd_sys_monitoring")
    enable = getattr(pydevd, "enable_code_tracing", None)
    if enable is None:
        raise Refused("this version of debugpy cannot be told of coroutines that have begun")
    main = threading.main_thread().ident
    # Of calls that are not in a task as well: an iterator in the midst of its loop, a context manager in its block.
    begun = {id(frame.f_code): frame for frame in map(frame_of, gc.get_objects()) if frame is not None}
    for frame in sys._current_frames().values():
        above: types.FrameType | None = frame
        while above is not None:
            begun[id(above.f_code)] = above
            above = above.f_back
    for frame in begun.values():
        enable(main, frame.f_code, frame)
    return len(begun)


# The end.

#: Seconds that a thread may take to leave pydevd.
_LEAVES = 1.0
#: Seconds in which a thread that was on its way into a wait has got there.
_TURN = 0.05


@answers("interrupt")
def interrupt() -> None:
    """Sends the main thread what Ctrl+C sends, as soon as it has left pydevd, which may keep the exception to itself.

    Python handles a signal when the thread executes Python next, and one that comes on the way into a loop's wait does
    not end that: the loops are woken.
    """
    main = threading.main_thread().ident
    if main is None:
        raise Refused("the main thread has not begun")
    deadline = time.monotonic() + _LEAVES
    while _is_in_pydevd(sys._current_frames().get(main)) and time.monotonic() < deadline:
        time.sleep(0.002)
    signal.pthread_kill(main, signal.SIGINT)
    for _ in range(2):
        for loop in all_loops(Threads()):
            try:
                loop.call_soon_threadsafe(_nothing)
            except RuntimeError:  # it was closed
                pass
        time.sleep(_TURN)


def _nothing() -> None:
    pass


def _is_in_pydevd(frame: types.FrameType | None) -> bool:
    while frame is not None:
        module = str(frame.f_globals.get("__name__")).partition(".")[0]
        if module.startswith(("pydevd", "_pydev", "debugpy")):
            return True
        if module not in ("threading", "_weft"):
            return False
        frame = frame.f_back
    return False


# Pause.


def _stop_here() -> types.FunctionType:
    """A function for pydevd to stop in: its file has to count as the program's own."""
    scope: dict[str, Any] = {}
    file = os.path.join(os.getcwd(), PAUSE)
    exec(compile(f"def {PAUSE}():\n    pass\n", file, "exec"), scope)
    return scope[PAUSE]


#: The name of the function, and of the file that it seems to be in.
PAUSE = "_weft_pause"


@answers("wake")
def wake() -> int:
    """Has every loop that runs call a function, so that a pause is noticed also by one that waits; how many there
    are."""
    woken = 0
    for loop in all_loops(Threads()):
        try:
            if loop.is_running():
                loop.call_soon_threadsafe(_stop_here())
                woken += 1
        except RuntimeError:  # it was closed
            pass
    return woken


@answers("held")
def held() -> list[list[Any]]:
    """Where the program's threads are, each with its name and its frames, the innermost first."""
    threads = Threads()
    told = []
    for thread in threading.enumerate():
        frame = threads.frames.get(thread.ident or 0)
        if frame is None or getattr(thread, "is_pydev_daemon_thread", False):
            continue
        places = []
        while frame is not None and len(places) < 100:
            places.append([frame.f_code.co_name, frame.f_code.co_filename[:4096], frame.f_lineno or 0])
            frame = frame.f_back
        told.append([threads.name(thread.ident), places])
    return told
