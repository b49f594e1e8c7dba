"""Which tasks, loops and threads there are; the number of each task, and where it was created.

A task is known by its address and a number that it is given once, because objects follow each other at one address.
Nothing is written into tasks, and they are referred to weakly.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import threading
import types
import weakref
from collections.abc import Iterator
from typing import Any

from .link import answers
from .objects import CTask, fields, is_a, is_task, module_of, name_of, read, text

_numbers = itertools.count(1)
_records: dict[int, Record] = {}
_loops: dict[int, Adopted] = {}


class Record(weakref.ref):
    """What is known of a task beyond what lies in it.

    The record of a task that is gone stays until another one has its address, or the next listing: a task whose end
    asyncio reports has no weak references any more.
    """

    __slots__ = ("number", "coroutine", "site", "by")

    number: int
    #: The address of what it was made of.
    coroutine: int
    #: The code that created it and how far that had come; None if nobody watched.
    site: tuple[types.CodeType, int] | None
    #: The number of the task that did.
    by: int | None


class Adopted(weakref.ref):
    """A loop that was seen to run, and the last thread that ran it."""

    __slots__ = ("address", "ident")

    address: int
    ident: int


def _forget_loop(adopted: Any) -> None:
    if _loops.get(adopted.address) is adopted:
        del _loops[adopted.address]


def known_record(task: Any) -> Record | None:
    """A task's record, if it has one."""
    record = _records.get(id(task))
    return record if record is not None and record() is task else None


def last_record(task: Any) -> Record | None:
    """The record of a task that is being deleted, if it has one."""
    record = _records.get(id(task))
    if record is None or record() not in (task, None):
        return None
    return record if record.coroutine == id(read(task, "_coro")) else None


def record_of(task: Any) -> Record:
    """A task's record, made if it has none."""
    return known_record(task) or _new_record(task)


def _new_record(task: Any) -> Record:
    record = Record(task)
    record.number = next(_numbers)
    record.coroutine = id(task.get_coro() if type(task) is CTask else read(task, "_coro"))
    record.site = record.by = None
    _records[id(task)] = record
    return record


def known(address: int, number: int) -> Any:
    """The task of an address and a number, if it is alive."""
    record = _records.get(address)
    return record() if record is not None and record.number == number else None


def created(task: Any, frame: types.FrameType | None) -> None:
    """Notes where a task was created: in the innermost of the calling frames that is not asyncio's own. A loop may
    create it by itself, for a connection that comes; what lies below the loop that runs has nothing to do with it."""
    record = _records.get(id(task))
    if record is None or record() is not task:
        record = _new_record(task)
    loop = asyncio._get_running_loop()
    while frame is not None and frame.f_code.co_filename.startswith(_PLUMBING):
        frame = None if id(frame.f_code) in TURNS and loop is not None else frame.f_back
    if frame is not None:
        record.site = (frame.f_code, frame.f_lasti)
    by = asyncio.tasks.current_task(loop) if loop is not None else None
    if by is not None and by is not task:
        record.by = record_of(by).number


def is_plumbing(code: types.CodeType) -> bool:
    """Whether code is asyncio's own, uvloop's, the probe's or the importer's."""
    return code.co_filename.startswith(_PLUMBING)


def is_ours(function: Any) -> bool:
    """Whether a function is one of the probe's, which calls the one in whose place it is."""
    code = getattr(function, "__code__", None)
    return code is not None and code.co_filename.startswith("<frozen _weft")


#: What runs loops, and has them call callbacks; of a loop that is not written in Python, the runner alone is seen.
TURNS = {
    id(code): code
    for code in (
        asyncio.events.Handle._run.__code__,
        asyncio.base_events.BaseEventLoop.run_forever.__code__,
        asyncio.base_events.BaseEventLoop.run_until_complete.__code__,
        getattr(getattr(getattr(asyncio, "Runner", None), "run", None), "__code__", None),
    )
    if code is not None
}
_PLUMBING: tuple[str, ...] = (asyncio.__file__.rpartition("__init__")[0], "<frozen ")


def line_of(code: types.CodeType, lasti: int) -> int:
    """The line of an instruction; 0 where there is none."""
    for begin, end, line in code.co_lines():
        if begin <= lasti < end:
            return line or 0
    return 0


def adopt(loop: Any) -> bool:
    """Notes that this thread runs a loop; whether that is news."""
    adopted = _loops.get(id(loop))
    if adopted is None or adopted() is not loop:
        adopted = Adopted(loop, _forget_loop)
        adopted.address = id(loop)
        adopted.ident = threading.get_ident()
        _loops[id(loop)] = adopted
        if kind_of(loop) == "uvloop":
            _know_uvloop()
        return True
    adopted.ident = threading.get_ident()
    return False


def _know_uvloop() -> None:
    """What of uvloop is Python runs tasks as asyncio's own does, wherever it is installed."""
    global _PLUMBING
    folder = str(getattr(sys.modules.get("uvloop"), "__file__", None) or "").rpartition("__init__")[0]
    if folder and folder not in _PLUMBING:
        _PLUMBING += (folder,)


def all_tasks(loops: list[Any], notes: list[str]) -> dict[int, Any]:
    """Every task that is alive, of these loops or of any, by its address: finished ones too, where asyncio or the probe
    knows them. Records of tasks that are gone are dropped.

    Up to 3.13 asyncio keeps weak sets of all tasks. From 3.14 on it keeps those of its own class in lists for each
    thread, which only `all_tasks` reads and which finished ones leave; those the probe has seen created.
    """
    found: dict[int, Any] = {}
    for name in ("_all_tasks", "_scheduled_tasks"):
        weak = getattr(asyncio.tasks, name, None)
        for ref in list(weak.data) if weak is not None else ():
            task = ref()
            if task is not None:
                found[id(task)] = task
    for task in list(getattr(asyncio.tasks, "_eager_tasks", ())):
        found[id(task)] = task
    for address, record in list(_records.items()):
        task = record()
        if task is not None:
            found[address] = task
        elif _records.get(address) is record:
            del _records[address]
    for loop in loops if hasattr(asyncio.tasks, "_c_all_tasks") else ():
        try:
            for task in asyncio.tasks._c_all_tasks(loop):
                found[id(task)] = task
        except Exception as problem:  # it puts them into a set, for which a class of the program's may have an opinion
            notes.append(f"asyncio could not list the tasks of a loop: {type(problem).__name__}")
    return found


def all_records(loops: list[Any], notes: list[str]) -> list[tuple[Record, Any]]:
    """Every task that is alive, with its record, in the order of their numbers; new ones are given theirs in that of
    their names, which is that of their creation unless they were given one."""
    found = all_tasks(loops, notes)
    new = []
    for address, task in found.items():
        record = _records.get(address)
        if record is None or record() is not task:
            new.append(task)
    for task in sorted(new, key=_by_name):
        _new_record(task)
    order = sorted([(_records[address].number, address) for address in found])
    return [(_records[address], found[address]) for _, address in order]


def _by_name(task: Any) -> tuple[int, int]:
    name = name_of(task) if is_task(task) else ""
    number = name[5:] if name.startswith("Task-") else ""
    return (0, int(number)) if number.isascii() and number.isdigit() and len(number) < 19 else (1, 0)


class Threads:
    """The threads of this moment."""

    def __init__(self) -> None:
        self.frames = sys._current_frames()
        active: dict[int, Any] = threading._active  # type: ignore[attr-defined]
        self._known = {ident: fields(thread) for ident, thread in list(active.items())}

    def native(self, ident: int | None) -> int | None:
        """The operating system's id of a thread that runs."""
        if ident is None or ident not in self.frames:
            return None
        number = self._known.get(ident, {}).get("_native_id")
        if type(number) is not int:
            return None
        if ident == threading.main_thread().ident and not os.path.exists(f"/proc/self/task/{number}"):
            return os.getpid()  # it was forked, and has the number of its parent's thread
        return number

    def name(self, ident: int | None) -> str:
        """What the program calls a thread."""
        return text(self._known.get(ident, {}).get("_name")) if ident is not None else ""

    def running(self, frame: types.FrameType) -> int | None:
        """The thread on whose stack a frame is."""
        for ident, at in self.frames.items():
            above: types.FrameType | None = at
            while above is not None:
                if above is frame:
                    return ident
                above = above.f_back
        return None


def all_loops(threads: Threads) -> list[Any]:
    """Every loop that runs or has run, in the order in which they were seen."""
    found: dict[int, Any] = {}
    for adopted in list(_loops.values()):
        loop = adopted()
        if loop is not None:
            found[id(loop)] = loop
    for frame in threads.frames.values():
        for loop in _driven(frame):
            found.setdefault(id(loop), loop)
    return list(found.values())


_RUN_FOREVER = asyncio.base_events.BaseEventLoop.run_forever.__code__
_RUNNER = getattr(getattr(asyncio, "Runner", None), "run", None)


def _driven(frame: types.FrameType | None) -> Iterator[Any]:
    """The loops that a thread's stack runs, by the frames of asyncio that do; only their own variables are looked
    at."""
    while frame is not None:
        if frame.f_code is _RUN_FOREVER:
            yield frame.f_locals["self"]
        elif _RUNNER is not None and frame.f_code is _RUNNER.__code__:
            loop = fields(frame.f_locals["self"]).get("_loop")
            if loop is not None:
                yield loop
        frame = frame.f_back


@answers("met")
def met(tasks: list[tuple[int, str, int]]) -> None:
    """weft has seen tasks from outside that it has never been told of: by the address and the name of each, the number
    that it has been given there and that it is to keep."""
    wanted = {address: (name, number) for address, name, number in tasks}
    renumbered: dict[int | None, int] = {}
    for task in all_tasks(all_loops(Threads()), []).values():
        name, number = wanted.get(id(task), (None, 0))
        if is_task(task) and name_of(task) == name:
            record = record_of(task)
            renumbered[record.number] = record.number = number
    for record in list(_records.values()):
        record.by = renumbered.get(record.by, record.by)


def is_asyncio(loop: Any) -> bool:
    """Whether a loop is asyncio's own, or made from it."""
    return is_a(loop, asyncio.base_events.BaseEventLoop)


def kind_of(loop: Any) -> str:
    """Which implementation a loop is."""
    return "uvloop" if module_of(loop) == "uvloop" else "asyncio"


def thread_of(loop: Any) -> int | None:
    """The thread that runs a loop at the moment or, where it does not tell, the last one that was seen to."""
    if is_asyncio(loop):
        ident = fields(loop).get("_thread_id")
        return ident if type(ident) is int else None
    adopted = _loops.get(id(loop))
    return adopted.ident if adopted is not None and adopted() is loop else None


def current_task() -> Any:
    """The task that this thread runs."""
    loop = asyncio._get_running_loop()
    return asyncio.tasks.current_task(loop) if loop is not None else None
