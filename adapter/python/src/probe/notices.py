"""What asyncio would say to whoever reads its log, as events: what never was awaited, what failed unseen, what held
up the loop.

Everything is chained: what the program has put in these places is called as before, and prints what it printed.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import sys
import threading
import time
import types
import warnings
from collections.abc import Callable
from typing import Any

from . import awaits, creation, stacks
from .chains import chain_of, code_of
from .link import answers, tell
from .objects import (
    bound_to,
    exception_text,
    frame_of,
    function_of,
    in_class,
    is_a,
    is_task,
    read,
    shown_name,
    text,
    type_name,
)
from .roster import Threads, all_loops, is_ours, is_plumbing, known_record, last_record, line_of

_Loop = asyncio.base_events.BaseEventLoop
_Handle = asyncio.events.Handle
handle_callback: Any = _Handle._callback.__get__  # type: ignore[attr-defined]
_RUN = _Handle._run.__code__
#: Frames of one traceback that are told.
_MOST_FRAMES = 30

#: When weft last let the program go on: what began before was stopped meanwhile, and is not slow.
_went_on = 0.0
_reporting = threading.local()
#: Who else is told that the program is about to go on.
on_going: list[Any] = []


@answers("going")
def going() -> None:
    """The program is about to go on."""
    global _went_on
    stacks.forget()
    awaits.give_up()
    for tell_it in on_going:
        tell_it()
    _went_on = time.perf_counter()


# Places and tasks, as weft is told of them.


def place_of(code: types.CodeType, line: int) -> list[Any]:
    return [text(getattr(code, "co_qualname", code.co_name)), code.co_filename[:4096], line]


def of_task(task: Any) -> dict[str, Any]:
    """Which task, where it was created."""
    record = known_record(task) or last_record(task)
    told: dict[str, Any] = {"name": shown_name(task)}
    if record is not None:
        told["task"] = [id(task), record.number]
        if record.site is not None:
            told["created"] = place_of(record.site[0], line_of(*record.site))
    return told


def _inside(task: Any) -> list[Any] | None:
    """Where a task is: its innermost frame that is not asyncio's, else where its function begins."""
    coroutine = read(task, "_coro")
    for link in reversed(chain_of(coroutine).links):
        frame = frame_of(link)
        if frame is not None and not is_plumbing(frame.f_code):
            return place_of(frame.f_code, frame.f_lineno or 0)
    code = code_of(coroutine)
    return place_of(code, code.co_firstlineno) if code is not None else None


def trace_of(failure: BaseException) -> list[list[Any]]:
    """The places that an exception came through, the innermost last."""
    places = []
    trace = BaseException.__traceback__.__get__(failure)  # type: ignore[attr-defined]
    while trace is not None and len(places) < 1000:
        places.append(place_of(trace.tb_frame.f_code, trace.tb_lineno))
        trace = trace.tb_next
    return places[-_MOST_FRAMES:]


# Slow callbacks.


def watch_callbacks(threshold: float) -> None:
    """Times every callback of asyncio's loops: two looks at a clock and one more call."""
    run = _Handle._run
    clock = time.perf_counter

    @functools.wraps(run)
    def timed(self: Any) -> None:
        began = clock()
        run(self)
        took = clock() - began
        if took >= threshold and began >= _went_on:
            quietly(_slow, self, took)

    _Handle._run = timed  # type: ignore[method-assign]


def _slow(handle: Any, took: float) -> None:
    callback = handle_callback(handle)
    told: dict[str, Any] = {"event": "slow-callback", "seconds": took}
    task = task_stepped(callback)
    if task is not None:
        told.update(of_task(task))
        told["at"] = _inside(task)
    else:
        code = function_of(callback)
        told["name"] = text(getattr(code, "co_qualname", code.co_name)) if code is not None else type_name(callback)
        told["at"] = place_of(code, code.co_firstlineno) if code is not None else None
    tell(told)


def task_stepped(callback: Any) -> Any:
    """The task of which a callback is a step."""
    getter = in_class(callback, "__self__")
    # A method of the accelerator's, or its wrapper for a first step.
    own = getter.__get__(callback) if type(getter) is types.GetSetDescriptorType else bound_to(callback)
    return own if is_task(own) else None


# Exceptions that reach a loop.

_KINDS = {
    "Task exception was never retrieved": "never-retrieved",
    "Future exception was never retrieved": "never-retrieved",
    "Task was destroyed but it is pending!": "destroyed-pending",
}


#: Who else looks at what a loop was told, once its handler has.
after_exception: list[Callable[[Any], None]] = []


def watch_exceptions() -> None:
    """Tells what loops are told; their handlers are called as before."""
    _watch_class(_Loop)
    creation.on_adopted.append(_watch_overriding)
    for loop in all_loops(Threads()):
        _watch_overriding(type(loop))


def _watch_class(of: Any) -> None:
    handle = of.call_exception_handler

    @functools.wraps(handle)
    def told(self: Any, context: Any) -> Any:
        outer = getattr(_reporting, "loop", None)
        if outer is context:  # a method that overrides this one has called it
            return handle(self, context)
        _reporting.loop = context
        try:
            quietly(loop_exception, context)
            result = handle(self, context)
            for look in after_exception:
                quietly(look, context)
            return result
        finally:
            _reporting.loop = outer

    of.call_exception_handler = told


def _watch_overriding(of: Any) -> None:
    """A class of loops that does it in a way of its own; what it then calls of asyncio's is told no second time."""
    if not is_ours(of.call_exception_handler):
        _watch_class(of)


def loop_exception(context: Any) -> None:
    """Tells what a loop's exception handler is given."""
    if type(context) is not dict:
        return
    message = text(context.get("message"))
    kind = "callback-error" if message.startswith("Exception in callback") else "loop-error"
    told: dict[str, Any] = {"event": _KINDS.get(message, kind), "message": message}
    about = next((context[key] for key in ("task", "future") if is_task(context.get(key))), None)
    if about is not None:
        told.update(of_task(about))
        told["at"] = _inside(about)
    failure = context.get("exception")
    if is_a(failure, BaseException):
        told["exception"] = exception_text(failure)
        told["trace"] = trace_of(failure)
        own = [place for place in told["trace"] if not place[1].startswith(_OWN)]
        told["at"] = (own or told["trace"] or [told.get("at")])[-1]
    tell(told)


_OWN = (asyncio.__file__.rpartition("__init__")[0], "<frozen ")


# Coroutines that nobody awaited.


def watch_coroutines() -> None:
    """Tells what the interpreter warns of when a coroutine is deleted that never ran."""
    warn = getattr(warnings, "_warn_unawaited_coroutine", None)
    if warn is None:
        return

    @functools.wraps(warn)
    def told(coro: Any) -> Any:
        # As the interpreter ends nobody has called it.
        quietly(_never_awaited, coro, sys._getframe().f_back)
        return warn(coro)

    # The warning is to name who dropped the coroutine: `warnings` skips frames of the importer, and no others, on the
    # way there.
    told.__code__ = told.__code__.replace(co_filename="<frozen importlib._bootstrap>")
    warnings._warn_unawaited_coroutine = told  # type: ignore[attr-defined]


def _never_awaited(coroutine: Any, frame: types.FrameType | None) -> None:
    code = code_of(coroutine)
    if code is None:
        return
    told: dict[str, Any] = {"event": "never-awaited", "name": text(getattr(code, "co_qualname", code.co_name))}
    told["declared"] = place_of(code, code.co_firstlineno)
    told["at"] = told["declared"]
    # It is deleted by whoever had it last. That one has called it if it knows its name; else it may be anybody.
    if (
        frame is not None
        and code.co_name in frame.f_code.co_names + frame.f_code.co_varnames + frame.f_code.co_freevars
    ):
        told["at"] = place_of(frame.f_code, frame.f_lineno or 0)
    tell(told)


# The log.


class Log(logging.Handler):
    """Tells what asyncio logs."""

    def emit(self, record: logging.LogRecord) -> None:
        """A record; what asyncio's loops say of exceptions was told already."""
        if getattr(_reporting, "loop", None) is None:
            quietly(_logged, record)
        last = logging.lastResort
        if last is not None and record.levelno >= last.level and not _is_handled(self):
            last.handle(record)


def _is_handled(own: logging.Handler) -> bool:
    """Whether anybody else handles what asyncio logs: if not, it is printed, as it would be without us."""
    logger: Any = logging.getLogger("asyncio")
    while logger is not None:
        if any(handler is not own for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


def _logged(record: logging.LogRecord) -> None:
    told: dict[str, Any] = {"event": "log", "level": record.levelname, "message": record.getMessage()[:4000]}
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and (is_plumbing(frame.f_code) or frame.f_code.co_filename == logging.__file__):
        if frame.f_code is _RUN:
            frame = None
            break
        frame = frame.f_back
    if frame is not None:
        told["at"] = place_of(frame.f_code, frame.f_lineno or 0)
    tell(told)


def watch_log(level: str) -> None:
    """Tells what asyncio logs from a level on."""
    logger = logging.getLogger("asyncio")
    number = logging.getLevelName(level)
    if type(number) is int and number != logging.WARNING:
        logger.setLevel(number)
    logger.addHandler(Log())


def quietly(function: Any, *arguments: Any) -> None:
    """What goes wrong in the probe stays in it."""
    try:
        function(*arguments)
    except Exception:
        tell({"event": "failed", "message": f"a notice could not be told: {type(sys.exc_info()[1]).__name__}"})
