"""Conditions of exception filters. pydevd has them for what it stops at, but not in its protocol: they are put into what
it keeps. They are evaluated in the frame that pydevd would stop in, where `exception` is the exception."""

from __future__ import annotations

import copy
import threading
from typing import Any

from . import terms
from .link import Refused, answers
from .objects import exception_text

#: Where pydevd keeps what it stops at, by filter.
_KEPT = {
    "raised": "break_on_caught_exceptions",
    "uncaught": "break_on_uncaught_exceptions",
    "userUnhandled": "break_on_user_uncaught_exceptions",
}
#: Frames of a traceback that are looked at.
_MOST_FRAMES = 10_000

#: The exceptions that pydevd looks at, and their tracebacks, by thread.
_looked_at: dict[int, tuple[Any, Any]] = {}
#: The conditions of the filters that the probe sees to.
_own: dict[str, str] = {}
_watching = False


@answers("filter-conditions")
def set_conditions(pydevds: dict[str, str], own: dict[str, str]) -> None:
    """The conditions of filters from now on, pydevd's and the probe's; those that are missing have none."""
    _own.clear()
    _own.update(own)
    if not pydevds:
        return
    from _pydevd_bundle.pydevd_constants import get_global_debugger

    pydevd = get_global_debugger()
    _watch(pydevd)
    for name, source in pydevds.items():
        kept = getattr(pydevd, _KEPT[name])
        changed = {}
        for exceptions, breakpoint_ in kept.items():
            changed[exceptions] = copy.copy(breakpoint_)
            condition = f"__import__('_weft').filters.holds({name!r},{source!r},globals(),locals())"
            changed[exceptions].condition = condition
        setattr(pydevd, _KEPT[name], changed)


@answers("check-condition")
def check(source: str) -> None:
    """Refuses what cannot be a condition."""
    try:
        terms.compiled(source)
    except (SyntaxError, ValueError) as failure:
        raise Refused(exception_text(failure)) from None


def _watch(pydevd: Any) -> None:
    """Notes what pydevd looks at: its conditions are not told."""
    global _watching
    if _watching:
        return
    plugins = pydevd.get_plugin_lazy_init()
    ask = getattr(plugins, "exception_break", None)
    if ask is None:
        raise Refused("this version of debugpy has no conditions for exceptions: 1.8.22 has")

    def watched(pydb: Any, frame: Any, thread: Any, raised: Any, *more: Any, **named: Any) -> Any:
        _looked_at[threading.get_ident()] = raised[1], raised[2]
        return ask(pydb, frame, thread, raised, *more, **named)

    plugins.exception_break = watched
    _watching = True


def holds(name: str, source: str, scope: dict[str, Any], variables: dict[str, Any]) -> bool:
    """Whether the condition of one of pydevd's filters holds, in a frame."""
    attached = variables.get("__exception__") if name == "uncaught" else None
    failure, trace = attached[1:3] if attached is not None else _looked_at.pop(threading.get_ident(), (None, None))
    if name == "raised" and not _is_first(trace):
        return False
    return terms.holds_for(source, scope, {**variables, "exception": failure}, None)


def _is_first(trace: Any) -> bool:
    """Whether a traceback begins in the innermost frame of the user's: pydevd asks in each that an exception leaves."""
    from _pydevd_bundle.pydevd_constants import get_global_debugger

    pydevd = get_global_debugger()
    for _ in range(_MOST_FRAMES):
        trace = trace.tb_next if trace is not None else None
        if trace is None:
            return True
        if not pydevd.apply_files_filter(trace.tb_frame, trace.tb_frame.f_code.co_filename, False):
            return False
    return True


def holds_for_task(name: str, failure: BaseException, task: Any, frame: Any) -> bool:
    """Whether the condition of one of the probe's filters holds, in the frame that raised an exception."""
    source = _own.get(name)
    return source is None or terms.holds_for(source, frame.f_globals, {**frame.f_locals, "exception": failure}, task)
