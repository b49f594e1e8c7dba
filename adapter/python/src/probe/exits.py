"""Tells when a function's frame is left for good, and when a suspended one goes on.

From Python 3.12 on by events of a tool of weft's own, which only the watched functions pay for (and whoever lets an
exception through, while something is watched). Before, by the profiling function of the thread; a program that has
one of its own keeps it, and nothing can be watched."""

from __future__ import annotations

import dis
import sys
import types
from collections.abc import Callable
from typing import Any

from .objects import frame_of

#: Is given the frame that is left, the one that it returns to, and whether by an exception. (Before 3.12 it may be
#: called a moment later, when the frame is over.)
Left = Callable[[types.FrameType, Any, bool], None]
#: Is given the frame that goes on.
Entered = Callable[[types.FrameType], None]


class Watched:
    """A frame, and who is to be told."""

    __slots__ = ("frame", "around", "coroutine", "left", "entered", "suspended")

    def __init__(
        self,
        frame: types.FrameType,
        around: types.FrameType | None,
        coroutine: Any,
        left: Left | None,
        entered: Entered | None = None,
        suspended: Callable[[], None] | None = None,
    ) -> None:
        self.frame = frame
        #: The frame that it returns to.
        self.around = around
        #: The outermost coroutine of a task, if the frame is that one's.
        self.coroutine = coroutine
        self.left = left
        self.entered = entered
        #: Up to 3.11: is told that the frame waits.
        self.suspended = suspended


def _is_value_of(frame: types.FrameType, value: Any) -> bool:
    """Whether what leaves a frame is the next value of an async generator, not what it awaits."""
    return bool(frame.f_code.co_flags & _ASYNC_GENERATOR) and type(value).__name__ == "async_generator_wrapped_value"


_ASYNC_GENERATOR = 0x200


class Begins:
    """A function whose calls are told of as they begin to run."""

    __slots__ = ("code", "begun")

    def __init__(self, code: types.CodeType, begun: Entered) -> None:
        self.code = code
        self.begun = begun


class _ByMonitoring:
    """Python 3.12 and later."""

    def __init__(self) -> None:
        self._watched: dict[types.FrameType, Watched] = {}
        self._begins: Begins | None = None
        self._codes: list[types.CodeType] = []
        self._tool: int | None = None

    def _use(self) -> int | None:
        """Takes a number that no other tool has."""
        if self._tool is None:
            for number in (4, 3):
                if sys.monitoring.get_tool(number) is None:
                    self._tool = number
                    break
            else:
                return None
            sys.monitoring.use_tool_id(self._tool, "weft")
            events = sys.monitoring.events
            for event, callback in (
                (events.PY_START, self._started),
                (events.PY_RETURN, self._returned),
                (events.PY_YIELD, self._yielded),
                (events.PY_UNWIND, self._unwound),
                (events.PY_RESUME, self._resumed),
                (events.PY_THROW, self._thrown),
            ):
                sys.monitoring.register_callback(self._tool, event, callback)
        return self._tool

    def watch(self, wanted: list[Watched], begins: Begins | None) -> bool:
        """Watches these and no others; whether that can be."""
        tool = self._use()
        if tool is None:
            return False
        self._forget(tool)
        if not wanted and begins is None:
            return True
        events = sys.monitoring.events
        self._watched = {each.frame: each for each in wanted}
        sys.monitoring.set_events(tool, events.PY_UNWIND | events.PY_THROW)
        for each in wanted:
            code = each.frame.f_code
            self._codes.append(code)
            sys.monitoring.set_local_events(tool, code, events.PY_RETURN | events.PY_YIELD | events.PY_RESUME)
        self._begins = begins
        if begins is not None:
            self._codes.append(begins.code)
            known = sys.monitoring.get_local_events(tool, begins.code)
            sys.monitoring.set_local_events(tool, begins.code, known | events.PY_START)
        return True

    def _forget(self, tool: int) -> None:
        self._watched, self._begins = {}, None
        if self._codes:
            sys.monitoring.set_events(tool, 0)
        while self._codes:
            sys.monitoring.set_local_events(tool, self._codes.pop(), 0)

    def _tell_left(self, frame: types.FrameType, by_exception: bool) -> None:
        watched = self._watched.get(frame)
        if watched is not None and watched.left is not None:
            watched.left(frame, frame.f_back, by_exception)

    def _started(self, code: types.CodeType, _offset: int) -> None:
        if self._begins is not None and self._begins.code is code:
            self._begins.begun(sys._getframe(1))

    def _returned(self, _code: Any, _offset: int, _value: Any) -> None:
        self._tell_left(sys._getframe(1), False)

    def _yielded(self, _code: Any, _offset: int, value: Any) -> None:
        frame = sys._getframe(1)
        if _is_value_of(frame, value):
            self._tell_left(frame, False)

    def _unwound(self, _code: Any, _offset: int, _exception: Any) -> None:
        self._tell_left(sys._getframe(1), True)

    def _resumed(self, _code: Any, _offset: int) -> None:
        frame = sys._getframe(1)
        watched = self._watched.get(frame)
        if watched is not None and watched.entered is not None:
            watched.entered(frame)

    def _thrown(self, code: Any, offset: int, _exception: Any) -> None:
        frame = sys._getframe(1)
        watched = self._watched.get(frame)
        if watched is not None and watched.entered is not None:
            watched.entered(frame)


class _ByProfiling:
    """Up to Python 3.11: of this thread only."""

    def __init__(self) -> None:
        self._watched: dict[types.FrameType, Watched] = {}
        self._begins: Begins | None = None
        #: One that was left by what may be a suspension; it is looked at as soon as anything else happens.
        self._unsure: Watched | None = None

    def watch(self, wanted: list[Watched], begins: Begins | None) -> bool:
        """Watches these and no others, on this thread; whether that can be."""
        self._unsure, self._begins = None, begins
        self._watched = {each.frame: each for each in wanted}
        current = sys.getprofile()
        if not wanted and begins is None:
            if current == self._profile:
                sys.setprofile(None)
            return True
        if current is None:
            sys.setprofile(self._profile)
        return current is None or current == self._profile

    def _profile(self, frame: types.FrameType, event: str, value: Any) -> None:
        unsure, self._unsure = self._unsure, None
        if unsure is not None and unsure.left is not None and _was_thrown_out(unsure, frame, event):
            unsure.left(unsure.frame, unsure.around, True)
        if not self._watched and self._begins is None:
            sys.setprofile(None)
            return
        begins = self._begins
        if begins is not None and event == "call" and frame.f_code is begins.code and _runs(frame):
            begins.begun(frame)
            return
        watched = self._watched.get(frame)
        if watched is None:
            return
        if event == "call" and watched.entered is not None:
            watched.entered(frame)
        elif event == "return" and watched.left is not None:
            if not _may_wait(frame):
                watched.left(frame, frame.f_back, frame.f_code.co_code[frame.f_lasti] != _RETURN)
            elif _is_value_of(frame, value):
                watched.left(frame, frame.f_back, False)
            else:
                if watched.suspended is not None:
                    watched.suspended()
                # A bare `yield` far below, or an exception that was thrown into it where it waits.
                self._unsure = watched if value is None else None


def _runs(frame: types.FrameType) -> bool:
    """Whether a call begins to run; a coroutine's is made before that."""
    return frame.f_lasti >= 0 or not frame.f_code.co_flags & _MADE_FIRST


#: Coroutines, generators, async generators.
_MADE_FIRST = 0x20 | 0x80 | _ASYNC_GENERATOR


def _was_thrown_out(unsure: Watched, frame: types.FrameType, event: str) -> bool:
    """Whether a frame was left for good where it waits, by what happens next."""
    if unsure.coroutine is not None:
        return frame_of(unsure.coroutine) is None
    # It is thrown on into the frame around; a value is handed on by that.
    return frame is unsure.around and event == "call"


def _may_wait(frame: types.FrameType) -> bool:
    """Whether a frame that is left is at an instruction by which it waits. (Before 3.11 it stands before that one, to
    execute it again.)
    """
    code, at = frame.f_code.co_code, frame.f_lasti
    return code[at] == _YIELD or (_YIELD_FROM is not None and code[at + 2 : at + 3] == bytes((_YIELD_FROM,)))


_YIELD, _YIELD_FROM = dis.opmap["YIELD_VALUE"], dis.opmap.get("YIELD_FROM")
_RETURN = dis.opmap["RETURN_VALUE"]

_watcher: Any = _ByMonitoring() if sys.version_info >= (3, 12) else _ByProfiling()


def watch(wanted: list[Watched], begins: Begins | None = None) -> bool:
    """Watches these, and what was watched before no more; whether that can be."""
    return _watcher.watch(wanted, begins)
