"""A step that is under way, and pydevd's words for one."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from .awaiters import outcome
from .chains import code_of
from .objects import frame_of, read, shown_name
from .roster import record_of

# pydevd's numbers for what a thread is to do, and why it stops.
_INTO, OVER, OUT, BREAKPOINT = 107, 108, 109, 111
_INTO_MINE, _OVER_MINE, _OUT_MINE = 144, 159, 160
_INTO_COROUTINE, _FUNCTION_BREAKPOINT = 206, 208
#: Because another thread has stopped, or for a pause.
SUSPEND = 105
NOTHING = -1
SUSPENDED = 2
BREAKPOINTS = (BREAKPOINT, _FUNCTION_BREAKPOINT)
STEPS = {
    _INTO: "into",
    _INTO_MINE: "into",
    _INTO_COROUTINE: "into",
    OVER: "over",
    _OVER_MINE: "over",
    OUT: "out",
    _OUT_MINE: "out",
}


class Step:
    """A step that is under way."""

    def __init__(self, thread: Any, task: Any, target: types.FrameType, command: int) -> None:
        self.thread = thread
        self.of(task)
        self.command = command
        self.kind = STEPS[command]
        self.target = target
        #: Where that returns to, of one that waits.
        self.around: types.FrameType | None = None
        #: The function that it is to go into, and how many calls of it come before.
        self.into: types.CodeType | None = None
        self.before = 0
        self.line = target.f_lineno
        self.function = target.f_code.co_name
        #: The task that has ended, once it goes on elsewhere; whether it did within the call that made it.
        self.ended: Any = None
        self.at_once = False
        #: Of a run to a line: what is to be done when it is over, the thread that has come there, and the user's breakpoint that
        #: another one has hit there.
        self.give_up: Callable[[], None] | None = None
        self.arrived: int | None = None
        self.hit: tuple[int, int] | None = None
        #: How often which siblings hit breakpoints, by their numbers.
        self.passed: dict[int, list[Any]] = {}

    def of(self, task: Any) -> None:
        """It goes on in this task."""
        self.task = task
        coroutine = read(task, "_coro")
        self.entry = code_of(coroutine)
        #: Its outermost frame.
        self.root = frame_of(coroutine)

    def name(self) -> str:
        """What a user reads."""
        if self.kind == "out":
            return f"the step out of {self.function}"
        return f"the run to line {self.line}" if self.give_up is not None else f"the step {self.kind} line {self.line}"

    def waits(self) -> str | None:
        """What it waits for, if that may never come. To be asked on any thread."""
        into, ended = self.into, self.ended
        if into is not None:
            # Other calls of it on the line may have.
            return f"the chosen call of {into.co_name} has not begun yet, and {self.name()} goes on where it does"
        if ended is not None:
            return f"{outcome(ended)}, and {self.name()} goes on where that is awaited, which has not gone on yet"
        return None

    def told(self, stop_reason: int, frame: types.FrameType | None) -> dict[str, Any]:
        """What weft is to know of it when it is over, by a stop in a frame."""
        who = "maker" if self.at_once else "awaiter"
        return {
            "interrupted": frame is not None and stop_reason not in STEPS and frame is not self.target,
            "name": self.name(),
            "of": shown_name(self.task),
            "task": [id(self.task), record_of(self.task).number],
            "said": f"{outcome(self.ended)}; its {who} goes on here" if self.ended is not None else None,
            "passed": list(self.passed.values()),
        }


def rest(thread: Any) -> None:
    """Has pydevd look for nothing on a thread."""
    info = thread.additional_info
    info.pydev_step_cmd = info.pydev_original_step_cmd = NOTHING
    info.pydev_step_stop = None
    info.update_stepping_info()
