"""What weft, and what else in the probe stops threads or runs tasks, ask of the one who follows steps."""

from __future__ import annotations

import threading
import time
import types
from collections.abc import Callable
from typing import Any

from . import notices
from .follower import Follower
from .link import Refused, answers, at_end
from .physical import debugger, thread_numbered
from .roster import known
from .step import BREAKPOINT, NOTHING, rest

#: Seconds that a thread may take to go on.
_LEAVES = 1.0

_follower: Follower | None = None


def watch(mode: str) -> None:
    """Follows steps from now on. `mode`: `task`, or `thread`, for which siblings' breakpoints stop as well."""
    global _follower
    if _follower is None:
        pydevd = debugger()
        if pydevd is None:
            raise Refused("pydevd debugs nothing")
        _follower = Follower(pydevd, mode != "thread")
        at_end.append(_follower.give_up)
        notices.on_going.append(_follower.going)


def begin_run(task: Any, line: int, give_up: Callable[[], None]) -> None:
    """Begins a run of a task to a line; `give_up`: is called when it is over."""
    if _follower is None:
        raise Refused("nothing follows steps in this program")
    _follower.run(task, line, give_up)


def end_run() -> None:
    """The run that is under way, if one is, is given up."""
    if _follower is not None and _follower.step is not None and _follower.step.give_up is not None:
        _follower.give_up()


def arrive() -> bool:
    """This thread has come to the line of the run that is under way; whether one is."""
    step = _follower.step if _follower is not None else None
    if step is None or step.give_up is None:
        return False
    step.arrived = threading.get_ident()
    return True


def hits(thread: Any, number: int) -> None:
    """This thread has hit a breakpoint of the user's, of pydevd's number, on the line of the run."""
    step = _follower.step if _follower is not None else None
    if step is not None:
        step.hit = thread.ident, number


def can_stop() -> bool:
    """Whether anything can have a thread stop."""
    return _follower is not None


def stop(thread: Any, frame: types.FrameType) -> None:
    """Has this thread stop in a frame of its stack, as at a breakpoint that no step passes."""
    if _follower is not None:
        _follower.stop(thread, frame, BREAKPOINT)


def suspend(pydevd: Any, thread: Any, reason: int) -> None:
    """Marks a thread to be suspended, whatever step is under way."""
    (_follower.mark if _follower is not None else pydevd.set_suspend)(thread, reason)


def innermost(frames: list[types.FrameType]) -> int | None:
    """The innermost of some frames that is the user's."""
    return _follower.innermost(frames) if _follower is not None else None


def drop(thread: Any) -> bool:
    """Drops the step that a thread was given where there is nothing to step; whether there was one."""
    if thread.additional_info.pydev_step_cmd == NOTHING or (_follower is not None and _follower.step is not None):
        return False
    rest(thread)
    return True


@answers("settle")
def settle() -> None:
    """Waits until the threads that are to go on have begun to, or it takes too long. One that was to be suspended before
    that would take no notice: what it was told to do comes later."""
    deadline = time.monotonic() + _LEAVES
    while _follower is not None and _follower.is_leaving() and time.monotonic() < deadline:
        time.sleep(0.001)


@answers("step-targets")
def step_targets(thread: int) -> list[list[Any]]:
    """The calls on the line of a thread that a step can go into: text, file, line."""
    of = thread_numbered(thread)
    if _follower is None or of is None:
        return []
    return [[call.text, call.file, call.line] for call in _follower.calls(of)]


@answers("step-into")
def step_into(thread: int, target: int) -> None:
    """Has the next step of a thread go into one of them."""
    of = thread_numbered(thread)
    if _follower is None or of is None:
        raise Refused("nothing follows steps in this program")
    _follower.go_into(of, target)


@answers("step-task")
def step_task(address: int, number: int, kind: str) -> None:
    """Prepares a step of a task that waits; it begins when the program goes on."""
    task = known(address, number)
    if _follower is None or task is None:
        raise Refused("this task has ended" if _follower is not None else "nothing follows steps in this program")
    _follower.prepare(task, kind)


@answers("step-waits")
def step_waits() -> str | None:
    """What the step that is under way waits for, if that may never come; an empty text of any other, None without a step."""
    # In this order: one that begins meanwhile is under way before its thread has left.
    is_leaving = _follower is not None and _follower.is_leaving()
    step = _follower.step if _follower is not None else None
    if step is None:
        return "" if is_leaving else None
    return step.waits() or ""


@answers("step-over")
def step_over() -> dict[str, Any] | None:
    """What there is to say of the step that the current stop has ended."""
    if _follower is None:
        return None
    over, _follower.over = _follower.over, None
    return over
