"""Steps that stay in their task.

pydevd steps by frames: from line to line of one frame, which a coroutine keeps while it waits. What it has no word
for is a task. So each step is followed here as well: by the task that it began in, and by its *target*, the frame
whose next line ends it. When the target is left, the step goes on in the nearest frame around it that is the user's;
when a task's outermost coroutine is left, in whoever awaits the task. Stops that belong to somebody else are passed:
those by which pydevd ends a step in another task, and breakpoints that a *sibling* hits, which is another task made
of the same function.

All of it happens on the thread that runs the code, at two places of pydevd's: where a thread is marked to be suspended,
and where it waits.
"""

from __future__ import annotations

import dis
import os
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

from . import exits, targets, terms
from .awaiters import awaiters, is_run_to_its_end
from .chains import chain_of, code_of
from .exits import Begins, Watched
from .link import Refused, tell
from .objects import frame_of, read
from .roster import TURNS, current_task, is_asyncio, is_plumbing, known_record, record_of, thread_of
from .step import BREAKPOINT, BREAKPOINTS, NOTHING, OUT, OVER, STEPS, SUSPEND, SUSPENDED, Step, rest

#: Frames of one stack.
_DEEPEST = 2000
#: Siblings that are told of.
_MOST_PASSED = 1000
_CLEANUP_THROW = dis.opmap.get("CLEANUP_THROW")
_RETURNS = [dis.opmap[name] for name in ("RETURN_VALUE", "RETURN_CONST") if name in dis.opmap]
_COROUTINE, _ASYNC_GENERATOR = 0x80, 0x200


class Follower:
    """The steps of a program that pydevd debugs."""

    def __init__(self, pydevd: Any, only_own: bool) -> None:
        self._pydevd = pydevd
        self._files = os.path.dirname(sys.modules["pydevd"].__file__ or "") + os.sep
        self._only_own = only_own
        #: pydevd's own word for that a thread is to be suspended.
        self.mark: Callable[..., None] = pydevd.set_suspend
        self._wait: Callable[..., None] = pydevd.do_wait_suspend
        self.step: Step | None = None
        #: The threads that wait and in which frame, the step of a waiting task that one of them is to begin, and the
        #: call that one is to go into.
        self._waiting: dict[int, types.FrameType] = {}
        #: The waits that are not over, and those of them that are to end.
        self._held: set[object] = set()
        self._ending: set[object] = set()
        self._into: tuple[Any, targets.Called] | None = None
        self._next: Step | None = None
        #: Where each thread has stood last: the frame, by its identity, and the instruction.
        self._stood: dict[int, tuple[int, int]] = {}
        #: What is to be told of the step that the current stop has ended.
        self.over: dict[str, Any] | None = None
        pydevd.set_suspend = self._on_suspend
        pydevd.do_wait_suspend = self._on_wait

    # pydevd's two places.

    def _on_suspend(self, thread: Any, stop_reason: int, *arguments: Any, **named: Any) -> None:
        """A thread is to be suspended: by itself, at a breakpoint or because a step is over, or by somebody else."""
        step = self.step
        if step is not None and step.give_up is not None and thread.ident == threading.get_ident():
            stop_reason = self._of_run(step, thread, stop_reason, named)
        if step is not None and thread.ident == threading.get_ident():
            if stop_reason in BREAKPOINTS and self._passes(step):
                thread.additional_info.hit_breakpoint_ids = None
                return
            if stop_reason in STEPS and step.give_up is None and not self._is_in(step, thread):
                return
        if step is None and stop_reason in STEPS and thread.ident == threading.get_ident():
            if self._leaves_the_program(sys._getframe(1), stop_reason):
                rest(thread)
                return
        if step is not None and named.get("is_pause"):
            # Whatever line comes next is to stop, not the step's.
            rest(step.thread)
        self.mark(thread, stop_reason, *arguments, **named)

    def _leaves_the_program(self, frame: types.FrameType, command: int) -> bool:
        """Whether a step ends because a frame returns below which there is none that pydevd shows. From 3.12 on a step out of it
        stops there all the same, unless only the user's own code counts."""
        code, at = frame.f_code, frame.f_lasti
        if code.co_code[at] not in _RETURNS:
            return False
        # A line may be nothing but a return (`pass` at the end): a step comes to it before it is left.
        is_line = command != OUT and at in _line_starts(code)
        if is_line and self._stood.get(threading.get_ident()) != (id(frame), at):
            return False
        below = frame.f_back
        for _ in range(_DEEPEST):
            if below is None:
                return True
            if self._pydevd.get_file_type(below) != self._pydevd.PYDEV_FILE:
                return False
            below = below.f_back
        return False

    def _on_wait(self, thread: Any, frame: types.FrameType, *arguments: Any, **named: Any) -> None:
        """A thread waits for what the user wants."""
        info = thread.additional_info
        if info.pydev_state != SUSPENDED:
            return
        if thread.stop_reason != SUSPEND:
            terms.look_at(current_task())
        self._end(thread.stop_reason, frame)
        held = object()
        self._held.add(held)
        try:
            self._wait_for(thread, frame, *arguments, **named)
            if self._next is not None and self._next.thread is thread:
                self._begin_waiting()
            elif info.pydev_step_cmd in STEPS:
                self._begin(thread, frame, info.pydev_step_cmd)
        finally:
            self._held.discard(held)
            self._stood[threading.get_ident()] = id(frame), frame.f_lasti

    def _wait_for(self, thread: Any, frame: types.FrameType, *arguments: Any, **named: Any) -> None:
        # An expression that awaits may have come to a stop within one.
        around = self._waiting.get(thread.ident)
        self._waiting[thread.ident] = frame
        self._into = None
        try:
            self._wait(thread, frame, *arguments, **named)
        finally:
            if around is not None:
                self._waiting[thread.ident] = around
            else:
                self._waiting.pop(thread.ident, None)

    def going(self) -> None:
        """The program is about to go on."""
        self._ending = set(self._held)

    def is_leaving(self) -> bool:
        """Whether a thread that is to go on has not begun to."""
        return not self._ending.isdisjoint(self._held)

    @staticmethod
    def _of_run(step: Step, thread: Any, stop_reason: int, named: dict[str, Any]) -> int:
        """Why a thread really stops, of which pydevd says that it has hit the breakpoint of a run to a line."""
        if stop_reason == BREAKPOINT and step.arrived == thread.ident:
            thread.additional_info.hit_breakpoint_ids = None
            named["original_step_cmd"] = OVER
            return OVER
        if stop_reason == BREAKPOINT and step.hit is not None and step.hit[0] == thread.ident:
            thread.additional_info.hit_breakpoint_ids = [step.hit[1]]
        return stop_reason

    # Whose stop it is.

    def _passes(self, step: Step) -> bool:
        """Whether a breakpoint that this thread has hit is a sibling's; then it is counted."""
        if not self._only_own:
            return False
        task = current_task()
        if task is None or task is step.task or code_of(read(task, "_coro")) is not step.entry:
            return False
        number = record_of(task).number
        if number in step.passed:
            step.passed[number][2] += 1
        elif len(step.passed) < _MOST_PASSED:
            step.passed[number] = [id(task), number, 1]
        return True

    def _is_in(self, step: Step, thread: Any) -> bool:
        """Whether a step of pydevd's that ends here, on this thread, ends in the stepped task's target or what that
        calls."""
        if thread is not step.thread or current_task() is not step.task:
            return False
        frame = sys._getframe(2)
        # From 3.12 on an await line has a line event of its own where an exception is thrown into it: nothing of it
        # is executed again.
        if frame is step.target and frame.f_code.co_code[frame.f_lasti] == _CLEANUP_THROW:
            return False
        return self._is_on_stack(step.target, frame)

    @staticmethod
    def _is_on_stack(wanted: types.FrameType, frame: types.FrameType | None) -> bool:
        for _ in range(_DEEPEST):
            if frame is wanted:
                return True
            if frame is None:
                return False
            frame = frame.f_back
        return False

    # A step, from its begin to its end.

    def _begin(self, thread: Any, frame: types.FrameType, command: int) -> None:
        task = current_task()
        root = frame_of(read(task, "_coro")) if task is not None else None
        if root is None or not self._is_on_stack(root, frame):
            # Of a task there is nothing on this stack: pydevd steps as it does.
            return
        step = Step(thread, task, frame, command)
        self.step = step
        if step.kind == "out":
            rest(thread)
        elif frame is root and sys.version_info >= (3, 12):
            # Where the task ends pydevd has nothing to say.
            events = sys.monitoring.get_local_events(sys.monitoring.DEBUGGER_ID, frame.f_code)
            events &= ~sys.monitoring.events.PY_RETURN
            sys.monitoring.set_local_events(sys.monitoring.DEBUGGER_ID, frame.f_code, events)
        into, self._into = self._into, None
        if into is not None and into[0] is thread:
            step.kind, step.into, step.before = "into", into[1].code, into[1].before
            if step.into.co_flags & _COROUTINE:
                # It may begin when this frame is lines further.
                rest(thread)
        if not self._aim(step, frame):
            self.step = None

    # A call to go into.

    def calls(self, thread: Any) -> list[targets.Called]:
        """What a step of a thread that waits can go into."""
        frame = self._waiting.get(thread.ident)
        if frame is None or not self._runs_task(frame):
            return []
        return targets.calls(frame, lambda code: self._is_users_code(frame, code))

    @staticmethod
    def _runs_task(frame: types.FrameType) -> bool:
        """Whether a frame is on the stack of a loop."""
        above: types.FrameType | None = frame
        while above is not None and not is_plumbing(above.f_code):
            above = above.f_back
        return above is not None

    def go_into(self, thread: Any, number: int) -> None:
        """Has the next step of a thread go into a call of its line."""
        found = self.calls(thread)
        if not 0 <= number < len(found):
            raise Refused("there is no such call on this line any more")
        self._into = (thread, found[number])

    def _on_begun(self, frame: types.FrameType) -> None:
        """The function that the step is to go into begins to run for somebody."""
        step, task = self.step, current_task()
        if step is None or task is None:
            return
        is_nested = self._is_on_stack(step.target, frame)
        if task is not step.task:
            # A task that was made by the stepped one, for this call. One that begins at once is not known yet.
            record = known_record(task)
            is_made = is_nested or (record is not None and record.by == record_of(step.task).number)
            if not is_made or frame_of(read(task, "_coro")) is not frame:
                return
        elif not is_nested:
            return
        if step.before > 0:
            step.before -= 1
            return
        step.into = None
        step.of(task)
        self._follow(step, frame)

    def prepare(self, task: Any, kind: str) -> None:
        """Has the thread that runs a task's loop begin a step of the task, which waits, when the program goes on."""
        frames = self._frames_of(task)
        ident = thread_of(read(task, "_loop"))
        at = self.innermost(frames)
        if at is None or ident is None:
            raise Refused("nothing of yours is in this task's stack, so it cannot be stepped")
        if ident not in self._waiting:
            raise Refused("the thread of this task's loop is not stopped in Python code, so the task cannot be stepped")
        active: dict[int, Any] = threading._active  # type: ignore[attr-defined]
        step = Step(active[ident], task, frames[at], OUT if kind == "out" else OVER)
        step.around = frames[at - 1] if at > 0 else None
        self._next = step

    def run(self, task: Any, line: int, give_up: Callable[[], None]) -> None:
        """Has everything pass what a step of a task passes, until it comes to a line or something else stops."""
        ident = thread_of(read(task, "_loop"))
        active: dict[int, Any] = threading._active  # type: ignore[attr-defined]
        frame = frame_of(read(task, "_coro"))
        if frame is None or ident not in active:
            raise Refused("the loop of this task does not run")
        step = Step(active[ident], task, frame, OVER)
        step.line, step.give_up = line, give_up
        self.step = step

    def _begin_waiting(self) -> None:
        step, self._next = self._next, None
        self.step = step
        if step is not None and step.kind == "out":
            self._aim(step, step.target, step.around)
        elif step is not None:
            self._follow(step, step.target, step.around)

    @staticmethod
    def _frames_of(task: Any) -> list[types.FrameType]:
        """The frames of a task that waits, outermost first."""
        return [frame for frame in map(frame_of, chain_of(read(task, "_coro")).links) if frame is not None]

    def _aim(self, step: Step, frame: types.FrameType, around: types.FrameType | None = None) -> bool:
        """Makes a frame the target; whether it can be. `around`: where one that waits returns to."""
        step.target = frame
        around = frame.f_back or around
        coroutine = read(step.task, "_coro") if frame is step.root else None
        begins = Begins(step.into, self._on_begun) if step.into is not None else None
        return exits.watch([Watched(frame, around, coroutine, self._on_left, None, self._on_suspended)], begins)

    def _on_suspended(self) -> None:
        """The target waits. Up to 3.11 pydevd takes that for the end of an async generator, and looks for any line."""
        step = self.step
        if step is not None and step.kind == "over" and step.target.f_code.co_flags & _ASYNC_GENERATOR:
            info = step.thread.additional_info
            if info.pydev_step_cmd != NOTHING:
                info.pydev_step_cmd, info.pydev_step_stop = step.command, step.target

    def _end(self, stop_reason: int = NOTHING, frame: types.FrameType | None = None) -> None:
        """Whatever step was under way is over, by a stop in a frame."""
        step, self.step = self.step, None
        if step is not None and step.give_up is not None:
            step.give_up()
        if step is not None:
            self.over = step.told(stop_reason, frame)
            exits.watch([])

    def give_up(self) -> None:
        """Nobody waits for the end of a step any more."""
        self._next = self._into = None
        self._end()
        self.over = None

    def _follow(self, step: Step, frame: types.FrameType, around: types.FrameType | None = None) -> None:
        """Has pydevd stop at the next line of a frame."""
        info = step.thread.additional_info
        info.pydev_step_cmd = info.pydev_original_step_cmd = OVER
        info.pydev_step_stop = frame
        info.update_stepping_info()
        self._pydevd.set_trace_for_frame_and_parents(step.thread.ident, frame)
        if sys.version_info >= (3, 12):
            sys.monitoring.restart_events()
        self._aim(step, frame, around)

    def _on_left(self, frame: types.FrameType, around: Any, by_exception: bool) -> None:
        """The target is left."""
        step = self.step
        if step is None:
            return
        if step.into is not None and step.into.co_flags & _COROUTINE and not by_exception:
            # What it was given to runs it later.
            exits.watch([], Begins(step.into, self._on_begun))
        elif frame is step.root:
            self._land(step, around)
        elif around is None or around.f_code.co_filename.startswith(self._files):
            self._lose(step, "the function has ended, and nothing of yours called it")
        elif not self._is_users(around):
            rest(step.thread)
            self._aim(step, around)
        else:
            maker = current_task()
            if step.at_once and maker is not None:
                step.of(maker)
            if by_exception:
                self._follow(step, around)
            else:
                self._stop(step, around)

    def _is_users(self, frame: types.FrameType) -> bool:
        return self._is_users_code(frame, frame.f_code)

    def _is_users_code(self, frame: types.FrameType, code: types.CodeType) -> bool:
        return is_users(self._pydevd, frame, code)

    def _stop(self, step: Step, frame: types.FrameType) -> None:
        """The step is over, in this frame."""
        self.stop(step.thread, frame, step.command, original_step_cmd=step.command)

    def stop(self, thread: Any, frame: types.FrameType, reason: int, **named: Any) -> None:
        """Has this thread stop here, whatever is under way."""
        if sys.version_info >= (3, 12):
            thread.additional_info.trace_suspend_type = "sys_monitor"
        self.mark(thread, reason, **named)
        self._on_wait(thread, frame, "line", None)

    def innermost(self, frames: list[types.FrameType]) -> int | None:
        """The innermost of some frames that is the user's."""
        return next((at for at in reversed(range(len(frames))) if self._is_users(frames[at])), None)

    # Where it goes on behind the end of a task.

    def _land(self, step: Step, outside: types.FrameType | None) -> None:
        """The stepped task's outermost coroutine is left; its loop is outside."""
        rest(step.thread)
        step.ended, step.root = step.task, None
        wanted = self._awaiting(step.task)
        step.at_once = not wanted and _was_made_on(outside, read(step.task, "_loop"))
        if wanted:
            exits.watch(wanted)
        elif outside is not None and step.at_once:
            self._aim(step, outside)
        elif not is_run_to_its_end(step.task):
            self._lose(step, "the task has ended, and nobody awaits it")
        else:
            while outside is not None and outside.f_back is not None and not self._is_users(outside.f_back):
                outside = outside.f_back
            if outside is None or outside.f_back is None:
                self._lose(step, "the task has ended, and nothing of yours ran it")
            else:
                self._aim(step, outside)

    def _awaiting(self, ended: Any) -> list[Watched]:
        """Where the tasks that await one go on: the innermost of their frames that is the user's, or the one that it
        awaits through.
        """
        wanted: list[Watched] = []
        seen = {id(ended)}
        tasks = awaiters(ended)
        while tasks and len(seen) < _MOST_PASSED:
            task = tasks.pop()
            if id(task) in seen:
                continue
            seen.add(id(task))
            frames = self._frames_of(task)
            at = self.innermost(frames)
            if at is None:
                # Nothing of the user's: whoever awaits that.
                tasks.extend(awaiters(task))
            elif at + 1 < len(frames):
                wanted.append(Watched(frames[at + 1], frames[at], None, self._on_through))
            else:
                wanted.append(Watched(frames[at], None, None, None, self._on_entered))
        return wanted

    def _on_entered(self, frame: types.FrameType) -> None:
        """An awaiter goes on."""
        step = self.step
        task = current_task()
        if step is not None and task is not None:
            step.of(task)
            self._stop(step, frame)

    def _on_through(self, _frame: types.FrameType, around: Any, by_exception: bool) -> None:
        """What an awaiter has awaited through is left."""
        step = self.step
        task = current_task()
        if step is None or task is None or around is None:
            return
        step.of(task)
        if by_exception:
            self._follow(step, around)
        else:
            self._stop(step, around)

    def _lose(self, step: Step, sentence: str) -> None:
        """The step is over, and nobody stops."""
        rest(step.thread)
        self._end()
        over, self.over = self.over, None
        tell({"event": "step-lost", "message": f"{sentence}; the program runs on", "step": over})


def _was_made_on(frame: types.FrameType | None, loop: Any) -> bool:
    """Whether a task, of whose outermost coroutine this is the frame around, is executed by the call that makes it
    (`eager_task_factory`): then its loop is further out than who makes it. Of a loop that is not asyncio's nothing is
    on the stack: whoever makes the task is known if that is a coroutine."""
    tells = 0 if is_asyncio(loop) else _COROUTINE
    for _ in range(_DEEPEST):
        if frame is None or id(frame.f_code) in TURNS:
            return False
        if not is_plumbing(frame.f_code) and frame.f_code.co_flags & tells == tells:
            return True
        frame = frame.f_back
    return False


def is_users(pydevd: Any, frame: types.FrameType, code: types.CodeType) -> bool:
    """Whether code is the user's; `frame`: where it runs, or is called."""
    return not is_plumbing(code) and not pydevd.apply_files_filter(frame, code.co_filename, False)


def _line_starts(code: types.CodeType) -> list[int]:
    """The instructions that lines begin with."""
    starts, before = [], None
    for start, _, line in code.co_lines():
        if line is not None and line != before:
            starts.append(start)
        before = line
    return starts
