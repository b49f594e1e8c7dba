"""Stops for one task: when it goes on, and when it has ended.

While some task is watched, each callback of asyncio's loops is looked at: whether it is a step of one of those. Before
it the task's innermost frame of the user's is told to stop where it goes on; behind it the task may have ended, with
its result in it, and nobody who awaits it was woken yet. What stands there then is the frame of its outermost coroutine,
which is over, or the frames that its exception came through.
"""

from __future__ import annotations

import asyncio
import functools
import threading
import types
import weakref
from collections.abc import Callable
from typing import Any

from . import exits, failures, notices, steps
from .chains import chain_of, has_begun
from .exits import Begins, Watched
from .link import Refused, answers, at_end, tell
from .objects import exception_text, frame_of, is_a, read
from .physical import thread_numbered
from .roster import current_task, is_asyncio, known

_Handle = asyncio.events.Handle
#: How a task can end, by what is asked for.
_ENDS = {"completed": "has completed", "cancelled": "was cancelled", "panicked": "has failed"}


class _Watch:
    """What a task stops for."""

    def __init__(self, task: Any, wanted: frozenset[str]) -> None:
        self.wanted = wanted
        #: The line that it is run to.
        self.run: int | None = None
        #: A step of it may be under way.
        self.unseen = True
        self.task = weakref.ref(task, lambda _: _watches.pop(address, None))
        address = id(task)
        coroutine = read(task, "_coro")
        #: During a step of it, the frame of its outermost coroutine: it is gone from the task when that is over.
        self.root = frame_of(coroutine) if _runs(coroutine) else None

    def begin(self, task: Any) -> None:
        """A step of the task is about to begin."""
        self.unseen = False
        self.root = frame_of(read(task, "_coro"))
        links = chain_of(read(task, "_coro")).links if "polled" in self.wanted else []
        frames = [frame for frame in map(frame_of, links) if frame is not None]
        if not frames:
            return
        if not has_begun(links[0]):
            exits.watch([], Begins(frames[0].f_code, self._begun), _owner())
        else:
            at = steps.innermost(frames)
            frame = frames[at] if at is not None else frames[0]
            exits.watch([Watched(frame, None, None, None, self._entered)], None, _owner())

    def _begun(self, frame: types.FrameType) -> None:
        if frame is self.root:
            self._entered(frame)

    def _entered(self, frame: types.FrameType) -> None:
        task = self.task()
        if task is None or current_task() is not task:
            return
        _disarm()
        # What it stops for may be something else by now.
        now = _watches.get(id(task))
        if now is not None and "polled" in now.wanted:
            _stand(task, {"message": "goes on"}, lambda: steps.stop(threading.current_thread(), frame))

    def over(self, task: Any) -> None:
        """A step of the task is over."""
        how = _ended(task)
        if how is None:
            if not _runs(read(task, "_coro")):
                self.root = None
            return
        root, self.root = self.root, None
        _watches.pop(id(task), None)
        run = self.run
        if how in self.wanted or run is not None:
            failure = read(task, "_exception")
            behind = f" before it came to line {run}" if run is not None else ""
            told: dict[str, Any] = {"message": _ENDS[how] + behind, "aside": True, "run": run is not None}
            if is_a(failure, BaseException):
                told["exception"] = exception_text(failure)
            _stand(task, told, lambda: failures.stand(failure, root))
        if not self.wanted:
            return
        message = f"{_ENDS[how]}: the stops that were set for it are gone"
        tell({"event": "watch-over", "message": message, **notices.of_task(task)})


_watches: dict[int, _Watch] = {}
#: What is told of the threads that stand for a task that is watched, by their identifiers.
_standing: dict[int, dict[str, Any]] = {}
_watching = False


def _owner() -> tuple[str, int]:
    """By whom what is to stop on this thread is watched: each loop steps one task at a time."""
    return "watches", threading.get_ident()


def _disarm() -> None:
    exits.watch([], None, _owner())


def _runs(coroutine: Any) -> bool:
    """Whether a coroutine is in the midst of a step."""
    kind = type(coroutine)
    if kind is types.CoroutineType:
        return coroutine.cr_running
    return kind is types.GeneratorType and coroutine.gi_running


def _ended(task: Any) -> str | None:
    """How a task has ended, if it has."""
    state = read(task, "_state")
    if state == "CANCELLED":
        return "cancelled"
    if state != "FINISHED":
        return None
    return "panicked" if read(task, "_exception") is not None else "completed"


def _stand(task: Any, told: dict[str, Any], stop: Callable[[], None]) -> None:
    """Has the program stop, and says why as long as it stands."""
    ident = threading.get_ident()
    _standing[ident] = {"event": "watched", **told, **notices.of_task(task)}
    try:
        stop()
    finally:
        _standing.pop(ident, None)


def _watch_steps() -> None:
    run = _Handle._run

    @functools.wraps(run)
    def watched(self: Any) -> None:
        if not _watches:
            return run(self)
        notices.quietly(_catch_up)
        task = notices.task_stepped(notices.handle_callback(self))
        watch = _watches.get(id(task)) if task is not None else None
        if watch is None:
            return run(self)
        notices.quietly(watch.begin, task)
        try:
            run(self)
        finally:
            notices.quietly(_disarm)
            # What it stops for may be something else by now.
            now = _watches.get(id(task))
            if now is not None:
                notices.quietly(now.over, task)

    _Handle._run = watched  # type: ignore[method-assign]


def _catch_up() -> None:
    """Looks at tasks that were in the midst of a step when they were first watched. Who awaits one that has ended in it
    is woken by a callback that comes later than this."""
    loop = asyncio._get_running_loop()
    for watch in list(_watches.values()):
        task = watch.task() if watch.unseen else None
        if task is not None and read(task, "_loop") is loop:
            watch.over(task)


@answers("watch-task")
def watch_task(address: int, number: int, on: list[str]) -> None:
    """What a task stops for from now on."""
    task = known(address, number)
    if task is None or _ended(task) is not None:
        raise Refused("this task has ended")
    if not is_asyncio(read(task, "_loop")):
        raise Refused("this task's loop is not asyncio's own, and does not tell of its tasks' steps")
    if not steps.can_stop():
        raise Refused("nothing stops in this program")
    _change(task, frozenset(on), None)


def _change(task: Any, wanted: frozenset[str], run: int | None) -> None:
    """Watches a task for these things, and while it is run to a line."""
    global _watching
    if not wanted and run is None:
        _watches.pop(id(task), None)
        return
    if not _watching:
        _watching = True
        _watch_steps()
        at_end.append(_watches.clear)
    watch = _Watch(task, wanted)
    watch.run = run
    _watches[id(task)] = watch


def watch_run(task: Any, line: int) -> None:
    """The task is run to a line: its end stops."""
    watch = _watches.get(id(task))
    _change(task, watch.wanted if watch is not None else frozenset(), line)


def end_run(task: Any) -> None:
    """The run is over."""
    watch = _watches.get(id(task))
    if watch is not None:
        _change(task, watch.wanted, None)


@answers("watched-at")
def watched_at(thread: int) -> dict[str, Any] | None:
    """What there is to say of a thread (the system's number) that stands for a task that is watched."""
    of = thread_numbered(thread)
    return _standing.get(of.ident) if of is not None else None
