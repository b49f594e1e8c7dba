"""Calls into a loop that runs on another thread, by what only the loop's own may call: asyncio raises for those in its
debug mode. Without, they work by chance: the loop may sleep on, and its queues may break.

Whatever is scheduled comes by `call_soon` or `call_at`, also from C (a future's callbacks, a task's first step), and both
begin by asking whether the loop is closed. That question is ours; it costs one look at a number more than asyncio's.
uvloop's loops schedule without a word of Python: there only tasks that are created are seen.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import types
from typing import Any

from . import creation
from .link import Refused, tell
from .notices import of_task, place_of, quietly, task_stepped
from .objects import is_a, is_task, read, text
from .roster import TURNS, Threads, is_asyncio, is_plumbing, kind_of, known_record, thread_of

_Loop = asyncio.base_events.BaseEventLoop
_Future = asyncio.Future
#: What asyncio itself asks about the thread, in its debug mode.
_ASKING = ("call_soon", "call_at")
#: Plumbing that is made for other threads, or that does not run for whoever stands at the line.
_INNOCENT = ("call_soon_threadsafe", "__del__")
#: Places that are told, at most.
_MOST = 1000
#: The places that were told, by function, file and line.
_told: dict[tuple[Any, ...], object] = {}


def watch() -> None:
    """Has every loop of asyncio's look at who calls."""
    check = _Loop._check_closed  # type: ignore[attr-defined]
    if not is_plumbing(check.__code__):
        raise Refused("the program has put a function of its own there")
    get_ident = threading.get_ident

    def _check_closed(self: Any) -> None:
        try:
            if self._thread_id == get_ident() and not self._closed:
                return
        except AttributeError:  # a class of the program's has none
            pass
        check(self)
        quietly(_called, self, sys._getframe(1))

    _Loop._check_closed = _check_closed  # type: ignore[attr-defined]
    creation.on_adopted.append(_adopted)


def _called(loop: Any, frame: types.FrameType) -> None:
    """Somebody asks whether a loop is closed, on a thread that is not its own, or before it runs."""
    if frame.f_code.co_name not in _ASKING or not is_plumbing(frame.f_code):
        return
    ident = thread_of(loop)
    # Asked anew, since a library may have replaced it, for the loop as well.
    if ident is not None and ident != threading.get_ident():
        _tell(loop, ident, frame, frame)


def _adopted(of: type) -> None:
    """A class of loops is seen for the first time."""
    if of.__module__ == "uvloop" and _made not in creation.on_created:
        creation.on_created.append(_made)


def _made(task: Any) -> None:
    """A task was made."""
    loop = read(task, "_loop")
    if is_asyncio(loop) or kind_of(loop) != "uvloop":
        return
    ident = thread_of(loop)
    if ident is not None and ident != threading.get_ident() and loop.is_running():
        quietly(_tell, loop, ident, sys._getframe(1), None)


def _tell(loop: Any, ident: int, frame: types.FrameType | None, scheduling: types.FrameType | None) -> None:
    """Tells of a call, once for each place. `scheduling`: the call of the loop's that it came to."""
    called = "create_task" if scheduling is None else ""
    while frame is not None and is_plumbing(frame.f_code):
        code = frame.f_code
        if code.co_name in _INNOCENT or id(code) in TURNS:
            return
        # Functions of the probe's are in the place of those that they call.
        if scheduling is not None and not code.co_filename.startswith("<frozen "):
            called = code.co_name
        frame = frame.f_back
    if frame is None or len(_told) >= _MOST:
        return
    at = place_of(frame.f_code, frame.f_lineno or 0)
    own = object()
    if _told.setdefault(tuple(at), own) is not own:
        return
    threads = Threads()
    if ident not in threads.frames:  # it was forked away
        return
    told: dict[str, Any] = {"event": "wrong-thread", "at": at}
    callback, arguments = _scheduled(scheduling)
    task = task_stepped(callback)
    if task is not None and known_record(task) is not None:
        told.update(of_task(task))
    here = threads.name(threading.get_ident()) or f"{threading.get_native_id()}"
    there = threads.name(ident) or f"{threads.native(ident)}"
    told["message"] = (
        f"{_what(called, frame.f_code, arguments)} in thread {here}, and the loop runs in thread {there}, where that may go "
        f"unnoticed or break something: use {_instead(called)}"
    )
    tell(told)


def _scheduled(frame: types.FrameType | None) -> tuple[Any, Any]:
    """What `call_soon` or `call_at` was given."""
    variables = frame.f_locals if frame is not None else {}
    return variables.get("callback"), variables.get("args")


def _what(called: str, code: types.CodeType, arguments: Any) -> str:
    """What was done in a function of the program's. What is not Python has no frame, so it may have called something else that
    called this."""
    if called in code.co_names:
        return f"`{text(called)}` is called"
    one = arguments[0] if type(arguments) is tuple and len(arguments) == 1 else None
    if (is_task(one) or is_a(one, _Future)) and read(one, "_state") != "PENDING":
        return "a future is completed"
    return "a callback is scheduled"


def _instead(called: str) -> str:
    if called in ("create_task", "ensure_future"):
        return "`asyncio.run_coroutine_threadsafe(…, loop)`"
    if called in ("call_later", "call_at"):
        return f"`loop.call_soon_threadsafe(loop.{called}, …)`"
    return "`loop.call_soon_threadsafe(…)`"
