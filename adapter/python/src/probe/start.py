"""What the probe does before the program's own code runs."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any

from . import awaits, breaks, creation, failures, foreign, notices, steps, tracers
from .link import Refused, open_link

_watching = False


def start(connection: socket.socket, stream: Any, options: dict[str, Any]) -> None:
    """Puts everything in its place, and begins to answer. A place that cannot be taken is told."""
    global _watching
    notes: list[str] = []
    if not _watching:
        _watching = True
        awaits.quiet()
        _try(notes, "other interpreters in the process may crash it", tracers.keep_to_ourselves)
        _try(notes, "loops are found only while they run", creation.watch_loops, options["creation_sites"])
        if options["creation_sites"]:
            _try(notes, "it is not known where tasks are created", creation.watch)
        if options["slow_callback"] > 0:
            _try(notes, "slow callbacks are not noticed", notices.watch_callbacks, options["slow_callback"])
        _try(notes, "`breakpoint()` is left to debugpy", breaks.watch)
        _try(notes, "exceptions that reach a loop are not noticed", notices.watch_exceptions)
        _try(notes, "coroutines that are never awaited are not noticed", notices.watch_coroutines)
        _try(notes, "calls from threads that are not the loop's are not noticed", foreign.watch)
        _try(notes, "what asyncio logs is not told", notices.watch_log, options["log_level"])
        if "pydevd" in sys.modules:
            _try(notes, "it is not told who else traces the program", tracers.watch)
            _try(notes, "steps may end in other tasks", steps.watch, options["step_mode"])
            _try(notes, "exceptions that end tasks do not stop the program", failures.stop_at, options["stop_at"])
    open_link(connection, stream, notes)


def _try(notes: list[str], otherwise: str, watch: Callable[..., None], *arguments: Any) -> None:
    try:
        watch(*arguments)
    except Exception as problem:
        why = str(problem) if isinstance(problem, Refused) else f"{type(problem).__name__}: {problem}"
        notes.append(f"{otherwise}: {why}")
