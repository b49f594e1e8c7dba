"""Where tasks are created, at the price of one more call for each: 1 to 2 µs."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable
from typing import Any

from .objects import CTask, read
from .roster import adopt, created, is_asyncio

_Loop = asyncio.base_events.BaseEventLoop
#: Who else looks at each task that was made.
on_created: list[Callable[[Any], None]] = []


def watch() -> None:
    """Has every loop of asyncio's tell of the tasks it makes, and others as soon as they run.

    It is the class's method that is replaced, not the loops' task factories, which are the program's.
    """
    create_task = _Loop.create_task

    @functools.wraps(create_task)
    def watched(self: Any, coro: Any, **arguments: Any) -> Any:
        task = create_task(self, coro, **arguments)
        _note(task, sys._getframe(1))
        return task

    _Loop.create_task = watched  # type: ignore[method-assign]


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
                if adopt(loop) and watch_tasks and not is_asyncio(loop) and loop.get_task_factory() is None:
                    loop.set_task_factory(_factory)
            except Exception:
                pass

    # uvloop takes it from the package when it is imported.
    asyncio.events._set_running_loop = asyncio._set_running_loop = watched  # type: ignore[attr-defined]


def _factory(loop: Any, coro: Any, **arguments: Any) -> Any:
    task = asyncio.Task(coro, loop=loop, **arguments)
    _note(task, sys._getframe(1))
    return task
