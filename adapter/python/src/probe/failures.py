"""Exceptions that end tasks: the program stops at them, if the user wants it to, and where they were raised.

`task-failed` is seen right after the step of a task in which an exception has left the outermost coroutine, so what is
caught within the task is none. An exception that goes on through tasks that await the first one is told once.
`never-retrieved` is what asyncio tells a loop of when a task or future is deleted. Either way the frames that the
exception came through have ended; its traceback keeps them with their variables, and pydevd shows those.
"""

from __future__ import annotations

import asyncio
import builtins
import functools
import sys
import threading
import types
from typing import Any

from . import creation, filters, steps
from .follower import is_users
from .link import Refused, answers, at_end, tell
from .notices import after_exception, handle_callback, of_task, place_of, quietly, task_stepped
from .objects import CTask, exception_text, fields, is_a, is_task, read
from .physical import debugger, thread_numbered
from .roster import is_asyncio

_Handle = asyncio.events.Handle
_Group: Any = getattr(builtins, "BaseExceptionGroup", None)
#: What an exception has among its attributes once it was told: builtin ones can be kept in mind in no other way.
_TOLD = "__weft_told__"
#: Frames of a traceback, and groups within groups, that are looked at.
_MOST_FRAMES = 10_000
_DEEPEST = 20

_wanted: frozenset[str] = frozenset()
_watching = False
#: What is told of the threads that stand at an exception, by their identifiers.
_standing: dict[int, dict[str, Any]] = {}


@answers("stop-at")
def stop_at(filters: list[str]) -> None:
    """By which filters the program is to stop from now on."""
    global _wanted, _watching
    if filters and not _watching:
        if sys.version_info >= (3, 12) and _unmonitored() is None:
            raise Refused("this version of debugpy cannot stop at exceptions of tasks: 1.8.22 can")
        _watching = True
        _watch_steps()
        _watch_loops()
        creation.on_created.append(_created)
        at_end.append(lambda: stop_at([]))
    _wanted = frozenset(filters)


@answers("stopped-at")
def stopped_at(thread: int) -> dict[str, Any] | None:
    """What there is to say of a thread (the system's number) that stands at an exception."""
    of = thread_numbered(thread)
    return _standing.get(of.ident) if of is not None else None


# Where exceptions are seen.


def _watch_steps() -> None:
    """Looks at each task before and after its steps, while the filter is on."""
    run = _Handle._run

    @functools.wraps(run)
    def watched(self: Any) -> None:
        task = task_stepped(handle_callback(self)) if "task-failed" in _wanted else None
        if task is None or read(task, "_state") != "PENDING":
            return run(self)
        run(self)
        if read(task, "_state") == "FINISHED":
            quietly(_failed, task)

    _Handle._run = watched  # type: ignore[method-assign]


def _created(task: Any) -> None:
    """A task was made: one that was begun at once may have failed already, and a loop that is not asyncio's steps its
    tasks in a way that cannot be watched."""
    if "task-failed" not in _wanted:
        return
    if read(task, "_state") == "FINISHED":
        _failed(task)
    elif is_a(task, CTask) and not is_asyncio(read(task, "_loop")):
        CTask.add_done_callback(task, functools.partial(quietly, _failed))


def _failed(task: Any) -> None:
    failure = read(task, "_exception")
    if is_a(failure, BaseException) and not _is_told(failure, 0):
        _stop("task-failed", failure, task)


def _is_told(failure: Any, depth: int) -> bool:
    """Whether the user has seen an exception, or all that a group is made of."""
    if _TOLD in fields(failure):
        return True
    if not is_a(failure, _Group) or depth > _DEEPEST:
        return False
    return all(_is_told(inner, depth + 1) for inner in _Group.exceptions.__get__(failure))


def _watch_loops() -> None:
    """Looks at what loops are told of."""
    after_exception.append(_reported)


def _reported(context: Any) -> None:
    if "never-retrieved" not in _wanted or type(context) is not dict:
        return
    failure = context.get("exception")
    message = context.get("message")
    if type(message) is str and message.endswith("exception was never retrieved") and is_a(failure, BaseException):
        about = context.get("future", context.get("task"))
        _stop("never-retrieved", failure, about if is_task(about) else None)


# The stop.


def _stop(kind: str, failure: BaseException, task: Any) -> None:
    """Has pydevd stop where an exception was raised, with the frames that it came through."""
    pydevd = debugger()
    thread = threading.current_thread()
    if pydevd is None or pydevd.pydb_disposed or sys.is_finalizing() or not _may_stop(thread):
        return
    trace = BaseException.__traceback__.__get__(failure)  # type: ignore[attr-defined]
    raised = _raised(pydevd, trace)
    if raised is None or not filters.holds_for_task(kind, failure, task, raised.tb_frame):
        return
    told: dict[str, Any] = {"event": kind, "exception": exception_text(failure)}
    if task is not None:
        told.update(of_task(task))
    told["at"] = place_of(raised.tb_frame.f_code, raised.tb_lineno)
    fields(failure)[_TOLD] = True
    _standing[thread.ident or 0] = told
    try:
        _suspend(pydevd, thread, raised.tb_frame, failure)
    finally:
        _standing.pop(thread.ident or 0, None)
    if steps.drop(thread):
        tell({"event": "step-lost", "message": "what raised the exception has ended; the program runs on"})


def stand(failure: BaseException | None, frame: types.FrameType | None) -> None:
    """Has pydevd stop this thread where an exception was raised, or else in a frame, if the program may be stopped."""
    pydevd = debugger()
    thread = threading.current_thread()
    if pydevd is None or pydevd.pydb_disposed or sys.is_finalizing() or not _may_stop(thread):
        return
    raised = None
    if failure is not None:
        raised = _raised(pydevd, BaseException.__traceback__.__get__(failure))  # type: ignore[attr-defined]
    at = raised.tb_frame if raised is not None else frame
    if at is None:
        return
    _suspend(pydevd, thread, at, failure if raised is not None else None)
    if steps.drop(thread):
        tell({"event": "step-lost", "message": "the task has ended; the program runs on"})


def _suspend(pydevd: Any, thread: Any, frame: types.FrameType, failure: BaseException | None) -> None:
    """Has pydevd stop a thread in a frame that is on no stack any more."""
    from _pydevd_bundle.pydevd_comm_constants import CMD_ADD_EXCEPTION_BREAK, CMD_SET_BREAK

    monitor = _unmonitored() if sys.version_info >= (3, 12) else None
    traced = monitor is not None and monitor.suspend_current_thread_tracing()
    try:
        if failure is None:
            steps.suspend(pydevd, thread, CMD_SET_BREAK)
            pydevd.do_wait_suspend(thread, frame, "line", None)
        else:
            trace = BaseException.__traceback__.__get__(failure)  # type: ignore[attr-defined]
            steps.suspend(pydevd, thread, CMD_ADD_EXCEPTION_BREAK)
            pydevd.do_wait_suspend(thread, frame, "exception", (type(failure), failure, trace))
    finally:
        if traced:
            monitor.resume_current_thread_tracing()


def _unmonitored() -> Any:
    """What has pydevd look away from a thread. Outside of its own callbacks it would take the next line of anything
    on a thread that is to be suspended for the stop."""
    monitor = sys.modules.get("_pydevd_sys_monitoring.pydevd_sys_monitoring")
    return monitor if hasattr(monitor, "suspend_current_thread_tracing") else None


def _may_stop(thread: Any) -> bool:
    """Whether a thread is the program's, and not in the midst of evaluating something at another stop."""
    info = getattr(thread, "additional_info", None)
    return not getattr(thread, "is_pydev_daemon_thread", False) and not getattr(info, "is_in_wait_loop", False)


def _raised(pydevd: Any, trace: types.TracebackType | None) -> types.TracebackType | None:
    """The innermost place of a traceback that is in the user's code."""
    found = None
    for _ in range(_MOST_FRAMES):
        if trace is None:
            break
        if is_users(pydevd, trace.tb_frame, trace.tb_frame.f_code):
            found = trace
        trace = trace.tb_next
    return found
