"""What a task waits for, and what its future tells of that."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
import types
from collections.abc import Iterator
from typing import Any

from .objects import (
    CTask,
    callbacks,
    closed_over,
    fields,
    function_of,
    in_class,
    is_a,
    is_future,
    is_task,
    module_of,
    nested_code,
    read,
)
from .roster import is_asyncio

#: More tasks are not told of one wait.
MOST_TASKS = 10_000

_PENDING = "PENDING"
Gathering: Any = asyncio.tasks._GatheringFuture
TimerHandle: Any = asyncio.events.TimerHandle


class Wait:
    """One wait, in the words of the protocol."""

    #: Milliseconds that are left.
    until: int | None = None
    #: It ends in time in any case.
    timed = False
    fd: int | None = None
    peer: str | None = None
    #: The tasks it waits for, and how.
    on: list[Any] | tuple[()] = ()
    #: It waits for nothing but these.
    whole = False
    via = "await"
    #: For a semaphore that knows how many permits there are: how many are taken.
    free: int | None = None
    #: When its time is over, it cancels what it waits for.
    cancels = False

    def __init__(self, kind: str, text: str, object: Any = None) -> None:
        self.kind = kind
        self.text = text
        #: What several tasks may wait for.
        self.object = object

    def ends_with(self, timer: Any, clock: Clock) -> Wait:
        """Adds the timer that ends it."""
        if timer is not None:
            self.timed = True
            self.until = clock.left(timer)
        return self

    def limited(self, left: list[int | None]) -> None:
        """Adds the time limits around it, by what is left of each."""
        self.timed = self.timed or bool(left)
        known = [milliseconds for milliseconds in left if milliseconds is not None]
        if known and self.kind != "sleep":
            self.until = min(known) if self.until is None else min(self.until, *known)


class Clock:
    """What is left until timers of a loop fire, where its clock is known: asyncio's, and uvloop's."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._is_asyncios = (
            is_asyncio(loop) and in_class(loop, "time") is asyncio.base_events.BaseEventLoop.time
        )

    def left(self, timer: Any) -> int | None:
        """Milliseconds until a timer fires."""
        if type(timer) is TimerHandle or is_a(timer, TimerHandle):
            return until(_when(timer)) if self._is_asyncios else None
        if module_of(timer) == "uvloop" and module_of(self._loop) == "uvloop":
            return max(0, int((timer.when() - self._loop.time()) * 1000))
        return None


_when: Any = TimerHandle._when.__get__


def until(when: Any) -> int | None:
    """Milliseconds until a time of asyncio's own clock."""
    if type(when) not in (float, int):
        return None
    left = (when - time.monotonic()) * 1000
    return max(0, int(left)) if -1e15 < left < 1e15 else None


def tasks_behind(future: Any, depth: int = 0) -> Iterator[Any]:
    """The tasks that have to end before a future does, through gathers and shields."""
    if depth > 8:
        return
    if is_task(future):
        if read(future, "_state") == _PENDING:
            yield future
    elif type(future) is Gathering:
        for child in _children(future):
            yield from tasks_behind(child, depth + 1)
    elif is_future(future):
        inner = _shielded(future)
        if inner is not None:
            yield from tasks_behind(inner, depth + 1)


def _children(gathering: Any) -> list[Any]:
    children = gathering._children
    return children if type(children) is list else []


_SHIELD_OUTER = nested_code(asyncio.tasks.shield, "_outer_done_callback")
_CHAINED = nested_code(asyncio.futures._chain_future, "_call_check_cancel")


def _shielded(future: Any) -> Any:
    for callback in callbacks(future):
        if function_of(callback) is _SHIELD_OUTER:
            return closed_over(callback).get("inner")
    return None


def for_several(wait: Wait, futures: Any, via: str) -> Wait:
    """Adds the tasks behind the members of a list or set."""
    on: list[Any] = []
    whole = len(futures) <= MOST_TASKS
    for future in list(futures)[:MOST_TASKS]:
        # Nearly all are; and there may be as many of them as there are tasks.
        if type(future) is CTask:
            if future._state == _PENDING:
                on.append(future)
        elif is_pending(future):
            whole = whole and is_task(future)
            on.extend(tasks_behind(future))
    wait.via, wait.whole = via, whole and len(on) <= MOST_TASKS
    wait.on = on[:MOST_TASKS]
    return wait


def is_pending(future: Any) -> bool:
    """Whether something is a future that is not done."""
    return is_future(future) and read(future, "_state") == _PENDING


def pending_of(futures: Any) -> int:
    """How many futures are not done."""
    count = 0
    for future in futures:
        if future._state == _PENDING if type(future) is CTask else is_pending(future):
            count += 1
    return count


def left_text(count: int) -> str:
    return f"{count} left"


# By what the future is that the task waits for.


def by_future(waiter: Any) -> Wait | None:
    """A wait that its future tells."""
    if is_task(waiter):
        wait = Wait("join", "a task")
        wait.on = [waiter]
        return wait
    if type(waiter) is Gathering:
        children = _children(waiter)
        said = f"gather of {len(children)}, {left_text(pending_of(children))}"
        return for_several(Wait("group", said), children, "gather")
    for callback in callbacks(waiter):
        if type(callback) is not types.FunctionType:
            continue  # as a rule it is the task's that waits
        code = callback.__code__
        if code is _SHIELD_OUTER:
            wait = Wait("join", "shield")
            wait.on, wait.via = list(tasks_behind(closed_over(callback).get("inner")))[:MOST_TASKS], "shield"
            return wait
        if code is _CHAINED:
            job = closed_over(callback).get("source")
            if is_a(job, concurrent.futures.Future):
                return Wait("blocking-job", f"a job of an executor, {_job_state(job)}")
    return None


def _job_state(job: Any) -> str:
    state = fields(job).get("_state")
    return {"PENDING": "not begun", "RUNNING": "running"}.get(state, "over") if type(state) is str else "unknown"
