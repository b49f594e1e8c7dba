"""Conditions of exception filters. pydevd has them for what it stops at, but not in its protocol: they are put into what
it keeps. They are evaluated in the frame that pydevd would stop in, where `exception` is the exception."""

from __future__ import annotations

import inspect
import threading
from typing import Any

from . import terms
from .link import Refused, answers, at_end
from .objects import exception_text
from .physical import debugger

#: What pydevd is asked with for what it is to stop at, by filter, and where it keeps that.
_ASKED_WITH = {
    "raised": "notify_on_handled_exceptions",
    "uncaught": "notify_on_unhandled_exceptions",
    "userUnhandled": "notify_on_user_unhandled_exceptions",
}
_KEPT = {"userUnhandled": "break_on_user_uncaught_exceptions", "raised": "break_on_caught_exceptions"}
#: What pydevd asks for no condition of.
_CONTROL = (GeneratorExit, StopIteration, StopAsyncIteration)
#: Frames of a traceback that are looked at.
_MOST_FRAMES = 10_000

#: The exceptions that pydevd looks at, and their tracebacks, by thread: until it has asked for the last condition.
#: Nothing that the program has dropped is kept alive.
_looked_at: dict[int, tuple[Any, Any]] = {}
#: The conditions of pydevd's filters, and of those that the probe sees to.
_pydevds: dict[str, str] = {}
_own: dict[str, str] = {}
_watching = False


@answers("filter-conditions")
def set_conditions(pydevds: dict[str, str], own: dict[str, str]) -> None:
    """The conditions of filters from now on, pydevd's and the probe's; those that are missing have none. pydevd's are
    those of what it is asked for next."""
    if pydevds:
        _watch()
    for kept, now in ((_own, own), (_pydevds, pydevds)):
        kept.clear()
        kept.update(now)
    if not pydevds:
        _looked_at.clear()


at_end.append(lambda: set_conditions({}, {}))


@answers("check-condition")
def check(source: str) -> None:
    """Refuses what cannot be a condition."""
    try:
        terms.compiled(source)
    except (SyntaxError, ValueError) as failure:
        raise Refused(exception_text(failure)) from None


def _watch() -> None:
    """Has pydevd keep the conditions, and notes what it looks at: its conditions are not told."""
    global _watching
    if _watching:
        return
    pydevd = debugger()
    plugins = pydevd.get_plugin_lazy_init()
    ask = getattr(plugins, "exception_break", None)
    add = getattr(pydevd, "add_break_on_exception", None)
    asked_with = inspect.signature(add) if add is not None else None
    if ask is None or asked_with is None or not {"condition", *_ASKED_WITH.values()} <= {*asked_with.parameters}:
        raise Refused("this version of debugpy has no conditions for exceptions: 1.8.22 has")

    def watched(pydb: Any, frame: Any, thread: Any, raised: Any, *more: Any, **named: Any) -> Any:
        _looked_at.pop(threading.get_ident(), None)
        result = ask(pydb, frame, thread, raised, *more, **named)
        if not result and _is_asked(pydb, *raised):
            _looked_at[threading.get_ident()] = raised[1], raised[2]
        return result

    def added(*args: Any, **named: Any) -> Any:
        asked = asked_with.bind(*args, **named).arguments
        made = None
        for name, flag in _ASKED_WITH.items():
            if asked[flag]:
                alone = {**asked, **dict.fromkeys(_ASKED_WITH.values(), 0), flag: asked[flag]}
                if name in _pydevds:
                    alone["condition"] = _condition(name)
                made = add(**alone) or made
        return made

    plugins.exception_break = watched
    pydevd.add_break_on_exception = added
    _watching = True


def _condition(name: str) -> str:
    return f"__import__('_weft').filters.holds({name!r},{_pydevds[name]!r},globals(),locals())"


def _last() -> str | None:
    """The filter whose condition pydevd asks for last when something is raised."""
    return next((name for name in ("raised", "userUnhandled") if name in _pydevds), None)


def _is_asked(pydevd: Any, kind: Any, failure: Any, trace: Any) -> bool:
    """Whether pydevd asks for a condition of what is raised."""
    from _pydevd_bundle.pydevd_frame_utils import ignore_exception_trace

    last = _last()
    if last is None or kind in _CONTROL or (kind is SystemExit and pydevd.ignore_system_exit_code(failure)):
        return False
    asked = pydevd.get_exception_breakpoint(kind, getattr(pydevd, _KEPT[last]))
    if asked is None or ignore_exception_trace(trace):
        return False
    return not pydevd.exclude_exception_by_filter(asked, trace)


def holds(name: str, source: str, scope: dict[str, Any], variables: dict[str, Any]) -> bool:
    """Whether the condition of one of pydevd's filters holds, in a frame."""
    if name == "uncaught":
        _, failure, trace = variables.get("__exception__") or (None, None, None)
    else:
        look = _looked_at.pop if name == _last() else _looked_at.get
        failure, trace = look(threading.get_ident(), (None, None))
    if name == "raised" and not _is_first(trace):
        return False
    return terms.holds_for(source, scope, {**variables, "exception": failure}, None)


def _is_first(trace: Any) -> bool:
    """Whether a traceback begins in the innermost frame of the user's: pydevd asks in each that an exception leaves."""
    pydevd = debugger()
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
