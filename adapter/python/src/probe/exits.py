"""Tells when a function's frame is left for good, and when a suspended one goes on.

From Python 3.12 on by events of a tool of weft's own, which only the watched functions pay for (and whoever lets an
exception through, while something is watched). Before, by the profiling function of the thread; a program that has
one of its own keeps it, and nothing can be watched."""

from __future__ import annotations

import dis
import os
import sys
import threading
import types
from collections.abc import Callable, Hashable
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


class _Wanted:
    """What is watched, by who wants it."""

    def __init__(self) -> None:
        self._by: dict[Hashable, tuple[list[Watched], Begins | None]] = {}
        self.watched: dict[types.FrameType, list[Watched]] = {}
        self.begins: list[Begins] = []

    def change(self, owner: Hashable, wanted: list[Watched], begins: Begins | None) -> bool:
        """Somebody wants these and no others; whether that is a change."""
        if not wanted and begins is None:
            if self._by.pop(owner, None) is None:
                return False
        else:
            self._by[owner] = wanted, begins
        watched: dict[types.FrameType, list[Watched]] = {}
        for frames, _ in self._by.values():
            for each in frames:
                watched.setdefault(each.frame, []).append(each)
        self.watched = watched
        self.begins = [begin for _, begin in self._by.values() if begin is not None]
        return True

    def __bool__(self) -> bool:
        return bool(self._by)

    def left(self, frame: types.FrameType, by_exception: bool) -> None:
        """A frame is left for good."""
        for each in self.watched.get(frame, ()):
            if each.left is not None:
                each.left(frame, frame.f_back, by_exception)

    def entered(self, frame: types.FrameType) -> None:
        """A frame goes on."""
        for each in self.watched.get(frame, ()):
            if each.entered is not None:
                each.entered(frame)

    def begun(self, frame: types.FrameType) -> bool:
        """A function begins to run; whether anybody was told."""
        told = [begin for begin in self.begins if begin.code is frame.f_code]
        for begin in told:
            begin.begun(frame)
        return bool(told)


class _ByMonitoring:
    """Python 3.12 and later."""

    def __init__(self) -> None:
        self._wanted = _Wanted()
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

    def watch(self, owner: Hashable, wanted: list[Watched], begins: Begins | None) -> bool:
        """Watches these and no others for somebody; whether that can be."""
        if not self._wanted.change(owner, wanted, begins):
            return True
        tool = self._use()
        if tool is None:
            return False
        if self._codes:
            sys.monitoring.set_events(tool, 0)
        while self._codes:
            sys.monitoring.set_local_events(tool, self._codes.pop(), 0)
        if not self._wanted:
            return True
        events = sys.monitoring.events
        sys.monitoring.set_events(tool, events.PY_UNWIND | events.PY_THROW)
        for frame in self._wanted.watched:
            self._add(tool, frame.f_code, events.PY_RETURN | events.PY_YIELD | events.PY_RESUME)
        for begin in self._wanted.begins:
            self._add(tool, begin.code, events.PY_START)
        return True

    def _add(self, tool: int, code: types.CodeType, events: int) -> None:
        self._codes.append(code)
        known = sys.monitoring.get_local_events(tool, code)
        sys.monitoring.set_local_events(tool, code, known | events)

    def _started(self, _code: types.CodeType, _offset: int) -> None:
        self._wanted.begun(sys._getframe(1))

    def _returned(self, _code: Any, _offset: int, _value: Any) -> None:
        self._wanted.left(sys._getframe(1), False)

    def _yielded(self, _code: Any, _offset: int, value: Any) -> None:
        frame = sys._getframe(1)
        if _is_value_of(frame, value):
            self._wanted.left(frame, False)

    def _unwound(self, _code: Any, _offset: int, _exception: Any) -> None:
        self._wanted.left(sys._getframe(1), True)

    def _resumed(self, _code: Any, _offset: int) -> None:
        self._wanted.entered(sys._getframe(1))

    def _thrown(self, _code: Any, _offset: int, _exception: Any) -> None:
        self._wanted.entered(sys._getframe(1))


class _ByProfiling:
    """Up to Python 3.11: of this thread only."""

    def __init__(self) -> None:
        self._wanted = _Wanted()
        #: Those of a frame that was left by what may be a suspension; they are looked at as soon as anything else happens.
        self._unsure: list[Watched] = []

    def watch(self, owner: Hashable, wanted: list[Watched], begins: Begins | None) -> bool:
        """Watches these and no others for somebody, on this thread; whether that can be."""
        if not self._wanted.change(owner, wanted, begins):
            return True
        self._unsure = []
        current = sys.getprofile()
        if not self._wanted:
            if current == self._profile:
                sys.setprofile(None)
            return True
        if current is None:
            sys.setprofile(self._profile)
        return current is None or current == self._profile

    def _profile(self, frame: types.FrameType, event: str, value: Any) -> None:
        unsure, self._unsure = self._unsure, []
        for each in unsure:
            if each.left is not None and _was_thrown_out(each, frame, event):
                each.left(each.frame, each.around, True)
        if not self._wanted:
            sys.setprofile(None)
            return
        if event == "call" and self._wanted.begins and _runs(frame) and self._wanted.begun(frame):
            return
        watched = self._wanted.watched.get(frame)
        if watched is None:
            return
        if event == "call":
            self._wanted.entered(frame)
        elif event == "return":
            self._returned(frame, value, watched)

    def _returned(self, frame: types.FrameType, value: Any, watched: list[Watched]) -> None:
        if not _may_wait(frame):
            self._wanted.left(frame, frame.f_code.co_code[frame.f_lasti] != _RETURN)
        elif _is_value_of(frame, value):
            self._wanted.left(frame, False)
        else:
            for each in watched:
                if each.left is not None and each.suspended is not None:
                    each.suspended()
            # A bare `yield` far below, or an exception that was thrown into it where it waits.
            self._unsure = [each for each in watched if each.left is not None] if value is None else []


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


def watch(wanted: list[Watched], begins: Begins | None = None, owner: Hashable = "steps") -> bool:
    """Watches these for somebody, and what was watched for them before no more; whether that can be."""
    with _watching:
        return _watcher.watch(owner, wanted, begins)


_watching = threading.RLock()


def _forked() -> None:
    """In a child process: a thread that is not there may have had it."""
    global _watching
    _watching = threading.RLock()


os.register_at_fork(after_in_child=_forked)
