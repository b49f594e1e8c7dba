"""Running the program's code on behalf of the user, for so long and no longer, without the probe having to wait for
it."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

from .link import thread

try:
    import ctypes
except ImportError:  # not every interpreter has it
    ctypes = None  # type: ignore[assignment]

#: Threads that were given up because what they run does not end.
_MOST_ABANDONED = 8


class Expired(BaseException):
    """It took too long. No `Exception`, so that the program's code does not handle it by mistake."""


class Job:
    """Something to run, and what came of it."""

    def __init__(self, run: Callable[[], Any]) -> None:
        self._run = run
        self.over = threading.Event()
        self.result: Any = None
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Runs it, once."""
        try:
            self.result = self._run()
        except BaseException as failure:
            self.failure = failure
        self.over.set()


class Worker:
    """A thread that runs one job after the other."""

    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.thread = thread("values", self._work)

    def _work(self) -> None:
        while True:
            try:
                job = self.jobs.get()
                if job is None:
                    return
                job.run()
            except Expired:  # it came when the job was just over
                pass


def _interrupt(stuck: threading.Thread, by: type[BaseException] | None) -> None:
    """Has an exception raised in a thread, or takes it back."""
    if ctypes is not None and stuck.ident is not None:
        exception = ctypes.py_object(by) if by is not None else None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(stuck.ident), exception)


def _take_back(stuck: threading.Thread) -> None:
    """Takes back an exception that a thread does not heed. In CPython 3.11 no traced thread would get on while it is
    pending: each call looks whether one is, again and again. What says so is reset by whoever is raised one, so this
    thread is."""
    _interrupt(stuck, None)
    try:
        _interrupt(threading.current_thread(), Expired)
        for _ in range(1_000_000):  # it is raised at the end of a round
            pass
    except Expired:
        pass


_worker: Worker | None = None
_abandoned = 0


def run(what: Callable[[], Any], seconds: float) -> Any:
    """What a call returns or raises; `Expired` if it takes longer.

    The call is then interrupted at its next instruction. If it does not heed that, its thread is given up, and ends
    with it.
    """
    global _worker, _abandoned
    if _abandoned >= _MOST_ABANDONED:
        raise Expired
    if _worker is None:
        _worker = Worker()
    worker, job = _worker, Job(what)
    worker.jobs.put(job)
    if not job.over.wait(seconds):
        _interrupt(worker.thread, Expired)
        if not job.over.wait(0.2):
            if sys.version_info[:2] == (3, 11):
                _take_back(worker.thread)
            worker.jobs.put(None)
            _worker, _abandoned = None, _abandoned + 1
            raise Expired
    if job.failure is not None:
        raise job.failure
    return job.result
