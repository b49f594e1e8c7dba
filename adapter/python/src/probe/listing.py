"""All tasks at one moment, in a form that is small and quick to read: what many tasks share is said once."""

from __future__ import annotations

import gc
import os
import sys
import time
import types
from typing import Any

from .chains import chain_of, code_of, ends_of, has_begun, is_running
from .holds import Codes, held_by
from .link import answers
from .objects import (
    CTask,
    bound_to,
    callbacks,
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
from .roster import (
    Record,
    Threads,
    all_loops,
    all_tasks,
    forget_the_dead,
    kind_of,
    known_record,
    line_of,
    record_of,
    thread_of,
)
from .tracers import other_interpreters
from .waits import MOST_TASKS, Wait, wait_of

try:
    import resource
except ImportError:  # not Unix
    resource = None  # type: ignore[assignment]

#: More tasks are not told.
MOST = 200_000
_Coroutine = types.CoroutineType
_TaskGroup = getattr(sys.modules["asyncio"], "TaskGroup", None)
_on_task_done = getattr(_TaskGroup, "_on_task_done", None)

CREATED, READY, RUNNING, WAITING, DONE, FAILED, CANCELLED = range(7)


class Table:
    """Things that are said once and named by their number."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def number(self, key: Any) -> int:
        """The number of a thing that is its own key."""
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.rows)
            self.rows.append(key)
        return number


class Frames:
    """Places in code, by code object and instruction."""

    def __init__(self, strings: Table) -> None:
        self.rows: list[Any] = []
        self._strings = strings
        self._numbers: dict[tuple[int, int], int] = {}
        self._kept: list[Any] = []

    def number(self, code: types.CodeType, lasti: int, frame: types.FrameType | None = None) -> int:
        """The number of a place; its line is worked out once."""
        key = (id(code), lasti)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.rows)
            line = (frame.f_lineno or 0) if frame is not None else line_of(code, lasti)
            self.rows.append((*self._function(code), line))
            self._kept.append(code)
        return number

    def declared(self, code: types.CodeType) -> int:
        """The number of the place where a function begins."""
        key = (id(code), -2)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.rows)
            self.rows.append((*self._function(code), code.co_firstlineno))
            self._kept.append(code)
        return number

    def _function(self, code: types.CodeType) -> tuple[int, int, int]:
        name = getattr(code, "co_qualname", code.co_name)
        string = self._strings.number
        return string(text(name)), string(_file(code)), code.co_firstlineno


#: What relative names of files are relative to.
_HOME = os.getcwd()


def _file(code: types.CodeType) -> str:
    name = code.co_filename
    if not name or len(name) > 4096 or name.startswith("<"):
        return name if len(name) <= 4096 else ""
    return os.path.join(_HOME, name)


class Listing:
    """Tasks, gathered in one go while no other thread runs."""

    def __init__(self) -> None:
        self.strings = Table()
        self.frames = Frames(self.strings)
        self.chains = Table()
        self.codes = Codes()
        self.threads = Threads()
        #: The loops by identity: each with its number and what is told of it.
        self.loops: dict[int, tuple[Any, int, list[Any]]] = {}
        self.rows: list[Any] = []
        #: Of tasks that run: their rows, the frames of their outermost coroutines, and the threads.
        self.running: list[tuple[list[Any], types.FrameType, int | None]] = []
        self.notes: list[str] = []
        #: How many more members of waits are told.
        self.edges = MOST
        for loop in all_loops(self.threads):
            self._loop(loop)

    def fill(self) -> None:
        """Looks at every task. One that cannot be looked at is told with its error."""
        forget_the_dead()
        tasks = all_tasks([entry[0] for entry in self.loops.values()], self.notes)
        records = [(known_record(task), task) for task in tasks]
        # In the order of their numbers; new ones in that of their names, which is that of their creation unless they
        # were given one.
        for task in sorted((task for record, task in records if record is None), key=_by_name):
            record_of(task)
        numbered = [(record or record_of(task), task) for record, task in records]
        numbered.sort(key=_number)
        if len(numbered) > MOST:
            self.notes.append(f"only the first {MOST} of {len(numbered)} tasks were looked at")
        for record, task in numbered[:MOST]:
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
                row[5] = self._places(places, row[6])

    def answer(self) -> dict[str, Any]:
        """What weft is sent."""
        return {
            "strings": self.strings.rows,
            "frames": self.frames.rows,
            "chains": self.chains.rows,
            "loops": [row for _, _, row in self.loops.values()],
            "tasks": self.rows,
            "notes": self.notes,
        }

    def _loop(self, loop: Any) -> int:
        """The number of a loop."""
        entry = self.loops.get(id(loop))
        if entry is None:
            ident = thread_of(loop)
            row = [id(loop), kind_of(loop), self.threads.name(ident), self.threads.native(ident) or 0]
            entry = self.loops[id(loop)] = (loop, len(self.loops), row)
        return entry[1]

    def _unreadable(self, record: Record, task: Any, problem: Exception) -> list[Any]:
        why = f"this task cannot be read: {type(problem).__name__}"
        return [id(task), record.number, type_name(task), WAITING, -1, -1, {"error": why}]

    def _task(self, record: Record, task: Any) -> list[Any]:
        more: dict[str, Any] = {}
        if record.site is not None:
            more["site"] = self.frames.number(*record.site)
            if record.by is not None:
                more["by"] = record.by
        if not is_task(task):
            more["error"] = f"a task of class {type_name(task)}, which is not asyncio's"
            return [id(task), record.number, type_name(task), WAITING, -1, -1, more]
        if type(task) is CTask:
            coroutine, state, loop = task._coro, task._state, task._loop
        else:
            coroutine, state, loop = read(task, "_coro"), read(task, "_state"), read(task, "_loop")
        code = code_of(coroutine)
        if code is not None:
            more["entry"] = self.frames.declared(code)
        number = self._loop(loop)
        if state == "PENDING":
            doing, chain = self._pending(task, coroutine, loop, more)
        else:
            doing, chain = self._ended(task, state, more), -1
        row = [id(task), record.number, name_of(task), doing, number, chain, more]
        if doing == RUNNING:
            frame = frame_of(coroutine)
            if frame is not None:
                self.running.append((row, frame, self._thread(frame, loop)))
        return row

    def _pending(self, task: Any, coroutine: Any, loop: Any, more: dict[str, Any]) -> tuple[int, int]:
        links, end, cut = chain_of(coroutine)
        if cut:
            more["cut"] = True
        group = self._group(task)
        if group is not None:
            more["group"] = group
        if not links:
            more["opaque"] = type_name(coroutine)
        elif is_running(links[0]):
            frame = frame_of(links[0])
            more["thread"] = self.threads.native(self._thread(frame, loop)) or 0
            return RUNNING, self._chain(links, more)
        elif not has_begun(links[0]):
            return CANCELLED if cancels_requested(task) else CREATED, self._chain(links, more)
        waiter = task._fut_waiter if type(task) is CTask else read(task, "_fut_waiter")
        chain = self._chain(links, more)
        waits = waiter is not None and (not is_future(waiter) or read(waiter, "_state") == "PENDING")
        held, limits = held_by(links, self.codes)
        if held:
            more["holds"] = [[id(lock), type_name(lock), how, self._place(link)] for lock, how, link in held]
        if waits:
            wait = wait_of(links, waiter, loop)
            wait.limited([limit.until for limit in limits])
            more["wait"] = self._wait(wait)
        if cancels_requested(task):
            return CANCELLED, chain
        return (WAITING if waits else READY), chain

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

    def _group(self, task: Any) -> int | None:
        """The task whose task group this one is in."""
        # Most tasks have none, or their awaiter's wake-up.
        for callback in callbacks(task) if read(task, "_callbacks") else ():
            group = bound_to(callback)
            if group is not None and _on_task_done is not None and callback.__func__ is _on_task_done:
                parent = fields(group).get("_parent_task")
                return id(parent) if is_task(parent) else None
        return None

    def _thread(self, frame: types.FrameType | None, loop: Any) -> int | None:
        """The thread that runs a loop, and on it a frame."""
        ident = thread_of(loop)
        return self.threads.running(frame) if ident is None and frame is not None else ident

    def _chain(self, links: list[Any], more: dict[str, Any]) -> int:
        """The number of a chain of frames."""
        places = []
        for link in links:
            place = self._place(link)
            if place is not None:
                places.append(place)
        return self._places(places, more)

    def _place(self, link: Any) -> int | None:
        """The number of where a coroutine is."""
        frame = link.cr_frame if type(link) is _Coroutine else frame_of(link)
        if frame is not None:
            return self.frames.number(frame.f_code, frame.f_lasti, frame)
        code = code_of(link)
        return self.frames.declared(code) if code is not None else None

    def _places(self, places: list[int], more: dict[str, Any]) -> int:
        """The number of a chain, of which only the ends are told if it is long."""
        told, left_out = ends_of(places)
        if left_out:
            more["left_out"] = left_out
        return self.chains.number(tuple(told))

    def _wait(self, wait: Wait) -> dict[str, Any]:
        said: dict[str, Any] = {"kind": wait.kind, "text": self.strings.number(wait.text)}
        if wait.object is not None:
            said["object"] = id(wait.object)
            said["type"] = self.strings.number(type_name(wait.object))
        for name in ("until", "fd", "peer", "free"):
            value = getattr(wait, name)
            if value is not None:
                said[name] = value
        if wait.timed:
            said["timed"] = True
        if wait.cancels:
            said["cancels"] = True
        if wait.on:
            said["on"] = [id(task) for task in wait.on[: min(MOST_TASKS, self.edges)]]
            said["via"] = wait.via
            left_out = len(wait.on) - len(said["on"])
            self.edges -= len(said["on"])
            if wait.whole and not left_out:
                said["whole"] = True
        return said


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


def _number(numbered: tuple[Record, Any]) -> int:
    return numbered[0].number


def _by_name(task: Any) -> tuple[int, int]:
    name = name_of(task) if is_task(task) else ""
    number = name[5:] if name.startswith("Task-") else ""
    return (0, int(number)) if number.isascii() and number.isdigit() and len(number) < 19 else (1, 0)


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
