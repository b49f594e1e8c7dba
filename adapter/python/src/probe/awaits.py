"""Expressions and statements with `await` in a stopped frame."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import sys
import time
from typing import Any

from .link import answers
from .objects import exception_text
from .roster import is_asyncio

#: Seconds between two looks at whether an awaited expression is to be given up.
_TICK = 0.05
#: Seconds that one has to end after it was cancelled.
_GRACE = 1.0

#: The numbers of those that are under way, each with whether it is to be given up.
_under_way: dict[int, bool] = {}


@answers("awaits")
def awaits(source: str) -> bool:
    """Whether something to evaluate awaits anything itself."""
    try:
        return bool(_compiled(source).co_flags & inspect.CO_COROUTINE)
    except (SyntaxError, ValueError):
        return False


@answers("cancel-await")
def cancel_await(number: int) -> None:
    """Gives one up."""
    if number in _under_way:
        _under_way[number] = True


def give_up() -> None:
    """The program is to go on: whatever is being awaited is given up."""
    for number in list(_under_way):
        cancel_await(number)


def quiet() -> None:
    """pydevd says of an evaluation that takes long how it was asked for, which is not how the user did."""
    constants = sys.modules.get("_pydevd_bundle.pydevd_constants")
    if constants is not None and "PYDEVD_WARN_EVALUATION_TIMEOUT" not in os.environ:
        constants.PYDEVD_WARN_EVALUATION_TIMEOUT = 3600.0


def _compiled(source: str) -> Any:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        return compile(source.strip(), "<expression>", "eval", flags, dont_inherit=True)
    except SyntaxError:
        return compile(source, "<expression>", "exec", flags, dont_inherit=True)


def evaluate(source: str, scope: dict[str, Any], seconds: float, number: int = 0) -> Any:
    """The value of an expression, or what statements do, that may await; `scope` has the variables of a frame of this
    thread, and gets those that are assigned.

    Whatever goes wrong is an `Exception`: pydevd catches nothing else.
    """
    code = _compiled(source)
    _under_way[number] = False
    try:
        value = eval(code, scope)
        return await_here(value, seconds, number) if code.co_flags & inspect.CO_COROUTINE else value
    except Exception:
        raise
    except BaseException as failure:
        raise RuntimeError(exception_text(failure)) from None
    finally:
        _under_way.pop(number, None)


def await_here(awaitable: Any, seconds: float, number: int = 0) -> Any:
    """Awaits something on the loop of this thread, which is in the midst of a callback: the loop turns here until it is
    done, and everything else that it runs goes on meanwhile, but for the task that stands here. Without a loop, a new
    one awaits it.

    Raises `TimeoutError` when it takes longer, after it was cancelled.
    """
    loop: Any = asyncio._get_running_loop()
    if loop is None:
        return asyncio.run(_watched(awaitable, seconds, number))
    if not is_asyncio(loop):
        if inspect.iscoroutine(awaitable):
            awaitable.close()
        raise RuntimeError(f"a loop of {type(loop).__module__} cannot turn while it is stopped: only asyncio's can")
    stopped = asyncio.current_task(loop)
    waiting = len(loop._ready)
    handle = getattr(loop, "_current_handle", None)
    if stopped is not None:
        asyncio.tasks._leave_task(loop, stopped)
    try:
        task = loop.create_task(_awaiting(awaitable), name="weft: await")
        watch = Watch(task, seconds, number)
        while not task.done():
            watch.look(loop._stopping)
            tick = loop.call_later(_TICK, _nothing)
            try:
                loop._run_once()
            finally:
                tick.cancel()
    finally:
        # The loop goes on with as many callbacks as were ready when it came here.
        for _ in range(waiting - len(loop._ready)):
            nothing = asyncio.Handle(_nothing, (), loop)
            nothing.cancel()
            loop._ready.append(nothing)
        loop._current_handle = handle
        if stopped is not None:
            asyncio.tasks._enter_task(loop, stopped)
        if task.done() and not task.cancelled():
            # Whoever asked for it is told.
            task.exception()
    return watch.result()


class Watch:
    """Gives a task up when its time is over, or when the user does."""

    def __init__(self, task: Any, seconds: float, number: int) -> None:
        self._task = task
        self._seconds = seconds
        self._number = number
        self._deadline = time.monotonic() + seconds
        self._why: str | None = None

    def look(self, ends: bool) -> None:
        """To be called now and then. `ends`: the loop is about to end."""
        late = time.monotonic() >= self._deadline
        cancelled = _under_way.get(self._number, False)
        if self._why is not None:
            if late:
                raise TimeoutError("it does not end, although it was cancelled")
        elif late or cancelled or ends:
            self._why = f"given up after {self._seconds:.0f} s" if late else "cancelled"
            self._deadline = time.monotonic() + _GRACE
            self._task.cancel()

    def result(self) -> Any:
        """What came of the task."""
        if self._why is not None and self._task.cancelled():
            raise TimeoutError(self._why)
        return self._task.result()


async def _watched(awaitable: Any, seconds: float, number: int) -> Any:
    task = asyncio.ensure_future(_awaiting(awaitable))
    watch = Watch(task, seconds, number)
    while not task.done():
        watch.look(False)
        await asyncio.wait([task], timeout=_TICK)
    return watch.result()


async def _awaiting(awaitable: Any) -> Any:
    return await awaitable


def _nothing() -> None:
    pass
