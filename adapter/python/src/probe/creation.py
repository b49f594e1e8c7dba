"""Where tasks are created, at the price of one more call for each: 1 to 2 µs."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable
from typing import Any

from . import tracers
from .objects import CTask, read
from .roster import adopt, created, is_asyncio, is_ours

_Loop = asyncio.base_events.BaseEventLoop
#: Who else looks at each task that was made.
on_created: list[Callable[[Any], None]] = []
#: Who looks at the class of each loop that begins to run.
on_adopted: list[Callable[[type], None]] = []


def watch() -> None:
    """Has every loop of asyncio's tell of the tasks it makes, and others as soon as they run.

    It is the class's method that is replaced, not the loops' task factories, which are the program's.
    """
    _watch_class(_Loop)


def _watch_class(of: type) -> None:
    """Notes the tasks that a class of loops makes."""
    create_task = of.create_task  # type: ignore[attr-defined]

    @functools.wraps(create_task)
    def watched(self: Any, coro: Any, **arguments: Any) -> Any:
        task = create_task(self, coro, **arguments)
        _note(task, sys._getframe(1))
        return task

    of.create_task = watched  # type: ignore[attr-defined]


def _watch_overriding(of: type) -> None:
    """The same for a class of the program's that makes tasks in a way of its own."""
    if not is_ours(of.create_task):  # type: ignore[attr-defined]
        _watch_class(of)


def _note(task: Any, frame: Any) -> None:
    try:
        created(task, frame)
        # In debug mode asyncio says where a task was created by the last of these. Asked of asyncio's own tasks directly:
        # every task that a program makes comes by here.
        trace = task._source_traceback if type(task) is CTask else read(task, "_source_traceback")
        if trace and trace[-1].filename == _note.__code__.co_filename:
            del trace[-1]
        for look in on_created:
            look(task)
    except Exception:
        pass


def watch_loops(watch_tasks: bool) -> None:
    """Notes every loop that begins to run, and on which thread. Those that are not asyncio's are given a task
    factory, if they have none."""
    set_running_loop = asyncio.events._set_running_loop

    @functools.wraps(set_running_loop)
    def watched(loop: Any) -> None:
        set_running_loop(loop)
        if loop is not None:
            try:
                if adopt(loop):
                    _adopted(loop, watch_tasks)
                tracers.look()
            except Exception:
                pass

    # uvloop takes it from the package when it is imported.
    asyncio.events._set_running_loop = asyncio._set_running_loop = watched  # type: ignore[attr-defined]


def _adopted(loop: Any, watch_tasks: bool) -> None:
    """A loop runs for the first time."""
    for look in on_adopted:
        look(type(loop))
    if not watch_tasks:
        return
    if is_asyncio(loop):
        _watch_overriding(type(loop))
    elif loop.get_task_factory() is None:
        loop.set_task_factory(_factory)


def _factory(loop: Any, coro: Any, **arguments: Any) -> Any:
    task = asyncio.Task(coro, loop=loop, **arguments)
    _note(task, sys._getframe(1))
    return task
