"""All tasks at one moment, in a form that is small and quick to read: what many tasks share is said once."""

from __future__ import annotations

import gc
import os
import sys
import time
import types
from typing import Any

from .chains import has_begun, is_running
from .holds import held_by
from .link import answers
from .objects import (
    LONGEST,
    CFuture,
    CTask,
    cancels_requested,
    exception_text,
    fields,
    frame_of,
    is_a,
    is_future,
    is_task,
    name_of,
    read,
    text,
    type_name,
)
from .places import Chains, Frames, Shape, Table
from .roster import Record, Threads, all_loops, all_records, kind_of, thread_of
from .tracers import other_interpreters
from .waits import MOST_TASKS, Clock, Wait, is_pending

try:
    import resource
except ImportError:  # not Unix
    resource = None  # type: ignore[assignment]

#: More tasks are not told.
MOST = 200_000
_Coroutine = types.CoroutineType
_TaskGroup = getattr(sys.modules["asyncio"], "TaskGroup", None)
_on_task_done = getattr(_TaskGroup, "_on_task_done", None)
_get_name = getattr(CTask, "get_name", None)
_IS_COUNTED = hasattr(CTask, "cancelling")

CREATED, READY, RUNNING, WAITING, DONE, FAILED, CANCELLED = range(7)
#: Where these are in a row, behind a task's address, number and name.
STATE, LOOP, CHAIN, ENTRY, SITE, BY, WAIT, MORE = range(3, 11)


class Listing:
    """Tasks, gathered in one go while no other thread runs."""

    def __init__(self) -> None:
        self.strings = Table()
        self.frames = Frames(self.strings)
        self.chains = Chains(self.frames)
        self.threads = Threads()
        #: The loops by identity.
        self.loops: dict[int, Loop] = {}
        self.waits: list[dict[str, Any]] = []
        self.rows: list[list[Any]] = []
        #: Of tasks that run: their rows, the frames of their outermost coroutines, and the threads.
        self.running: list[tuple[list[Any], types.FrameType, int | None]] = []
        #: By a task group: the task that made it.
        self.parents: dict[int, int | None] = {}
        self.notes: list[str] = []
        #: How many more members of waits are told.
        self.edges = MOST
        for loop in all_loops(self.threads):
            self._loop(loop)

    def fill(self) -> None:
        """Looks at every task. One that cannot be looked at is told with its error."""
        records = all_records([entry.loop for entry in self.loops.values()], self.notes)
        if len(records) > MOST:
            self.notes.append(f"only the first {MOST} of {len(records)} tasks were looked at")
        for record, task in records[:MOST]:
            try:
                self.rows.append(self._task(record, task))
            except Exception as problem:
                self.rows.append(self._unreadable(record, task, problem))
        self._look_at_threads()
        self.look_around()

    def look_around(self) -> None:
        """Says what is there besides, and is not seen."""
        if other_interpreters():
            self.notes.append("other interpreters run in this process: their tasks are not seen")
        for name, module in _OTHERS.items():
            if module in sys.modules and any(_runs(frame, module) for frame in self.threads.frames.values()):
                self.notes.append(f"{name} runs in this process: its tasks are not seen, only those of asyncio")

    def _look_at_threads(self) -> None:
        """The frames of tasks that run are those on their threads' stacks, each to where the next task's begin."""
        outermost = {id(frame) for _, frame, _ in self.running}
        for row, begin, ident in self.running:
            places: list[int] = []
            for frame in _inward(self.threads.frames.get(ident), begin):
                if id(frame) in outermost and frame is not begin:
                    break
                places.append(self.frames.number(frame.f_code, frame.f_lasti, frame))
            if places:
                row[CHAIN], row[MORE]["left_out"] = self.chains.number(places)

    def answer(self) -> dict[str, Any]:
        """What weft is sent."""
        return {
            "strings": self.strings.rows,
            "frames": self.frames.rows,
            "chains": self.chains.told.rows,
            "loops": [loop.row for loop in self.loops.values()],
            "waits": self.waits,
            "tasks": self.rows,
            "notes": self.notes,
        }

    def _loop(self, loop: Any) -> Loop:
        """What is told of a loop."""
        known = self.loops.get(id(loop))
        if known is None:
            known = self.loops[id(loop)] = Loop(loop, len(self.loops), self.threads)
        return known

    def _unreadable(self, record: Record, task: Any, problem: Exception) -> list[Any]:
        why = f"this task cannot be read: {type(problem).__name__}"
        return self._barely(record, task, {"error": why})

    def _barely(self, record: Record, task: Any, more: dict[str, Any]) -> list[Any]:
        """The row of a task of which nothing is known."""
        row = [id(task), record.number, type_name(task), WAITING, None, None, None, None, None, None, more]
        if record.site is not None:
            row[SITE], row[BY] = self.frames.number(*record.site), record.by
        return row

    def _task(self, record: Record, task: Any) -> list[Any]:
        """The row of a task. Attributes of asyncio's own class, of which nearly all are, are asked for directly."""
        if type(task) is CTask:
            coroutine, state, its_loop, name = task._coro, task._state, task._loop, _get_name(task)
            if type(name) is not str or len(name) > LONGEST:
                name = text(name)
        elif is_task(task):
            coroutine, state, its_loop = read(task, "_coro"), read(task, "_state"), read(task, "_loop")
            name = name_of(task)
        else:
            return self._barely(record, task, {"error": f"a task of class {type_name(task)}, which is not asyncio's"})
        loop = self.loops.get(id(its_loop)) or self._loop(its_loop)
        more: dict[str, Any] = {}
        row = [id(task), record.number, name, DONE, loop.number, None, None, None, None, None, more]
        site = record.site
        if site is not None:
            known = self.frames.numbers.get((id(site[0]), site[1]))
            row[SITE], row[BY] = self.frames.number(*site) if known is None else known, record.by
        if state == "PENDING":
            self._pending(row, task, coroutine, loop)
        else:
            row[ENTRY] = self.chains.entry(coroutine)
            row[STATE] = self._ended(task, state, more)
        return row

    def _pending(self, row: list[Any], task: Any, coroutine: Any, loop: Loop) -> None:
        """Adds what a task that has not ended does, and where."""
        is_plain, more = type(task) is CTask, row[MORE]
        shape, links, awaits = self.chains.of(coroutine)
        row[CHAIN], row[ENTRY] = shape.chain, shape.entry
        if shape.left_out:
            more["left_out"] = shape.left_out
        if shape.cut:
            more["cut"] = True
        # Most tasks have no callbacks, or their awaiter's wake-up.
        callbacks = task._callbacks if is_plain else read(task, "_callbacks")
        for entry in callbacks if type(callbacks) is list else ():
            if type(entry) is tuple and type(entry[0]) is types.MethodType:
                self._member(entry[0], more)
        if not links:
            more["opaque"] = type_name(coroutine)
        elif links[0].cr_running if type(links[0]) is _Coroutine else is_running(links[0]):
            self._runs(row, links[0], loop)
            return
        to_end = task.cancelling() or task._must_cancel if is_plain and _IS_COUNTED else cancels_requested(task)
        if not awaits and links and not has_begun(links[0]):
            row[STATE] = CANCELLED if to_end else CREATED
            return
        waiter = task._fut_waiter if is_plain else read(task, "_fut_waiter")
        waits = waiter is not None and (
            waiter._state == "PENDING"
            if type(waiter) is CFuture or type(waiter) is CTask
            else not is_future(waiter) or is_pending(waiter)
        )
        row[STATE] = CANCELLED if to_end else WAITING if waits else READY
        limits = self._holds(shape, links, more) if shape.entering else []
        if waits:
            row[WAIT] = self._waits(shape, links, waiter, loop, limits)

    def _runs(self, row: list[Any], outermost: Any, loop: Loop) -> None:
        """Adds who runs a task."""
        frame = frame_of(outermost)
        ident = thread_of(loop.loop)
        if ident is None and frame is not None:
            ident = self.threads.running(frame)
        row[STATE] = RUNNING
        row[MORE]["thread"] = self.threads.native(ident) or 0
        if frame is not None:
            self.running.append((row, frame, ident))

    def _ended(self, task: Any, state: str, more: dict[str, Any]) -> int:
        more["ended"] = True
        if state == "CANCELLED":
            return CANCELLED
        failure = read(task, "_exception")
        if failure is None:
            return DONE
        more["error"] = "ended with " + exception_text(failure)
        more["retrieved"] = not read(task, "_log_traceback")
        trace = BaseException.__traceback__.__get__(failure) if is_a(failure, BaseException) else None
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is not None:
            more["failed"] = self.frames.number(trace.tb_frame.f_code, trace.tb_lasti)
        return FAILED

    def _member(self, callback: types.MethodType, more: dict[str, Any]) -> None:
        """Adds the task whose task group this one is in, if that is what a callback says."""
        if _on_task_done is None or callback.__func__ is not _on_task_done:
            return
        group = callback.__self__
        if id(group) not in self.parents:
            parent = fields(group).get("_parent_task")
            self.parents[id(group)] = id(parent) if is_task(parent) else None
        if self.parents[id(group)] is not None:
            more["group"] = self.parents[id(group)]

    def _holds(self, shape: Shape, links: list[Any], more: dict[str, Any]) -> list[int | None]:
        """Adds what a task holds; what is left of the time limits that it is inside of."""
        held, limits = held_by(links, shape.entering)
        if held:
            more["holds"] = [[id(lock), type_name(lock), how, self.frames.of(link)] for lock, how, link in held]
        return [limit.until for limit in limits]

    def _waits(self, shape: Shape, links: list[Any], waiter: Any, loop: Loop, limits: list[int | None]) -> int:
        """The number of what a task waits for."""
        known = None
        if shape.waits.object is not None and not limits and type(waiter) is CFuture:
            # What all say who wait for it is said once.
            for value in gc.get_referents(links[-1]):
                if type(value) is shape.waits.object:
                    known = id(value)
                    if known in shape.told:
                        return shape.told[known]
                    break
        wait = shape.waits.wait(links, waiter, loop.clock)
        if limits:
            wait.limited(limits)
        number = len(self.waits)
        self.waits.append(self._told(wait))
        if known is not None:
            shape.told[known] = number
        return number

    def _told(self, wait: Wait) -> dict[str, Any]:
        said: dict[str, Any] = {"kind": wait.kind, "text": self.strings.number(wait.text)}
        if wait.object is not None:
            said["object"] = id(wait.object)
            said["type"] = self.strings.number(type_name(wait.object))
        # What is not as of most waits lies in the wait itself.
        for name, value in wait.__dict__.items():
            if name in _TOLD and value is not None and value is not False:
                said[name] = value
        if wait.on:
            said["on"] = [id(task) for task in wait.on[: min(MOST_TASKS, self.edges)]]
            said["via"] = wait.via
            left_out = len(wait.on) - len(said["on"])
            self.edges -= len(said["on"])
            if wait.whole and not left_out:
                said["whole"] = True
        return said


#: What is told of some waits alone.
_TOLD = frozenset(("until", "fd", "peer", "free", "timed", "cancels"))


class Loop:
    """A loop, and what is told of it."""

    def __init__(self, loop: Any, number: int, threads: Threads) -> None:
        ident = thread_of(loop)
        self.loop = loop
        self.number = number
        self.row = [id(loop), kind_of(loop), threads.name(ident), threads.native(ident) or 0]
        self.clock = Clock(loop)


#: Who has tasks of their own, with the module that runs them.
_OTHERS = {"trio": "trio._core._run", "curio": "curio.kernel"}


def _runs(frame: types.FrameType | None, module: str) -> bool:
    """Whether a thread executes something of a module."""
    for _ in range(_DEEPEST):
        if frame is None:
            return False
        if frame.f_globals.get("__name__") == module:
            return True
        frame = frame.f_back
    return False


#: Frames of a thread that are looked at.
_DEEPEST = 2000


def _inward(innermost: types.FrameType | None, begin: types.FrameType) -> list[types.FrameType]:
    """The frames on a thread's stack from one inward, as far as the debugger's own; none if it is not there."""
    found = []
    frame = innermost
    while frame is not None and frame is not begin:
        found.append(frame)
        frame = frame.f_back
    if frame is None:
        return []
    own = [begin]
    for frame in reversed(found):
        file = frame.f_code.co_filename
        if file.startswith(_debugger()):
            break
        if not file.startswith("<frozen _weft"):
            own.append(frame)
    return own


def _debugger() -> str:
    """The folder of pydevd's files."""
    file = getattr(sys.modules.get("pydevd"), "__file__", None)
    return os.path.dirname(file) + os.sep if type(file) is str and file else "<none>"


def _switches() -> int:
    """How often this thread gave way."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw if resource is not None else 0


#: For how long other threads may have to wait for the interpreter while tasks are looked at; seconds. A thread that
#: waits for it reads this when it begins to wait, and asks for it to be given up once that time is over.
_ALONE = 1.0
_TRIES = 3


@answers("tasks")
def tasks() -> dict[str, Any]:
    """A listing that no other thread of the program changed while it was made; or, after a few tries, one with a note.

    Up to the interpreter's switch interval after it was asked for, the interpreter's lock stays here. A thread that
    waited for it already when the interval was made longer can take it once; then this thread has given way, and
    looks again.
    """
    usual, collects = sys.getswitchinterval(), gc.isenabled()
    try:
        # A collection would run finalizers of the program's here.
        gc.disable()
        for left in reversed(range(_TRIES)):
            # Who runs now takes its turn before, and finds the long interval when it waits for the next.
            time.sleep(0)
            sys.setswitchinterval(_ALONE)
            before = _switches()
            answer = _look()
            if _switches() == before:
                break
            if not left:
                answer["notes"].append("other threads ran meanwhile: what is said of the tasks may not fit together")
    finally:
        sys.setswitchinterval(usual)
        if collects:
            gc.enable()
    return answer


def _look() -> dict[str, Any]:
    """A listing of which nothing is left but what it says, so that nobody's last reference is here."""
    listing = Listing()
    listing.fill()
    return listing.answer()
