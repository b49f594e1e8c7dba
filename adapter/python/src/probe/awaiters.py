"""Who goes on when a task ends: the tasks that its callbacks lead to.

A list of all tasks tells the same from the other side. This takes no longer than the task has callbacks.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import types
from collections.abc import Iterator
from typing import Any

from .objects import (
    bound_to,
    callbacks,
    closed_over,
    fields,
    function_of,
    is_future,
    is_task,
    nested_code,
    of_cythons,
    read,
    type_name,
)

#: Futures between a task and one that awaits it.
_DEEPEST = 20

#: Callbacks of asyncio's that set another future, by their code: the variable that is it.
_SETS = {
    code: name
    for code, name in (
        (nested_code(asyncio.tasks.gather, "_done_callback"), "outer"),
        (nested_code(asyncio.tasks.shield, "_inner_done_callback"), "outer"),
        (nested_code(asyncio.tasks._wait, "_on_completion"), "waiter"),
    )
    if code is not None
}
_COMPLETED = nested_code(asyncio.tasks.as_completed, "_on_completion")
_HANDLED = function_of(getattr(getattr(asyncio.tasks, "_AsCompletedIterator", None), "_handle_completion", None))
_RELEASE = getattr(asyncio.tasks, "_release_waiter", None)
_GROUP = getattr(getattr(asyncio, "TaskGroup", None), "_on_task_done", None)
_UVLOOP_RAN = "run_until_complete.<locals>.done_cb"
_RAN = function_of(asyncio.base_events._run_until_complete_cb)


def awaiters(future: Any) -> list[Any]:
    """The tasks that await a task or future, directly or by way of asyncio's own futures."""
    found: dict[int, Any] = {}
    for task in _follow(future, _DEEPEST):
        found.setdefault(id(task), task)
    return list(found.values())


def is_run_to_its_end(task: Any) -> bool:
    """Whether a call of `run_until_complete` waits for it."""
    return any(function_of(callback) is _RAN or _is_uvloops_end(callback) for callback in callbacks(task))


def _is_uvloops_end(callback: Any) -> bool:
    """Whether a callback is the one by which uvloop's `run_until_complete` ends, which is compiled."""
    name = of_cythons(callback, "__qualname__")
    return name.endswith(_UVLOOP_RAN) and of_cythons(callback, "__module__") == "uvloop.loop"


def _follow(future: Any, deep: int) -> Iterator[Any]:
    if deep <= 0 or not is_future(future):
        return
    for callback in callbacks(future):
        woken = _woken_by(callback)
        if woken is not None:
            yield woken
            continue
        for behind in _set_by(callback):
            yield from _follow(behind, deep - 1)


def _woken_by(callback: Any) -> Any:
    """The task that a callback wakes."""
    kind = type(callback)
    if kind is types.BuiltinMethodType or kind is types.MethodType:
        return callback.__self__ if is_task(callback.__self__) else None
    if type_name(callback) == "TaskWakeupMethWrapper":
        return next(filter(is_task, gc.get_referents(callback)), None)
    return None


def _set_by(callback: Any) -> Iterator[Any]:
    """The futures that a callback may set."""
    if type(callback) is functools.partial:
        if _RELEASE is not None and callback.func is _RELEASE:
            yield from callback.args[:1]
        return
    code = function_of(callback)
    if code is None:
        return
    if code in _SETS:
        yield closed_over(callback).get(_SETS[code])
    elif code is _COMPLETED or code is _HANDLED:
        of = bound_to(callback)
        queue = fields(of).get("_done") if of is not None else closed_over(callback).get("done")
        getters = fields(queue).get("_getters") if queue is not None else None
        yield from list(getters)[:1] if getters else ()
    elif _GROUP is not None and code is _GROUP.__code__:
        # Its parent, once that has come to the end of the block.
        yield fields(bound_to(callback)).get("_on_completed_fut")


def outcome(task: Any) -> str:
    """How a task has ended, as users read it."""
    if read(task, "_state") == "CANCELLED":
        return "the task was cancelled"
    if read(task, "_exception") is not None:
        return "an exception has ended the task"
    return "the task has ended"
