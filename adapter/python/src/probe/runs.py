"""Runs of one task to a line: a breakpoint of weft's own, that only this task hits, until whatever stops the program.

pydevd keeps one breakpoint for a line. Where the user has one there, its terms are asked for everybody else; only its
log message is not written meanwhile.
"""

from __future__ import annotations

import threading
import types
from typing import Any

from . import repairs, steps, watches
from .link import Refused, answers, tell
from .objects import exception_text, frame_of, read
from .physical import debugger
from .roster import current_task, is_asyncio, known

#: pydevd's number of the breakpoint: no client's.
_NUMBER = (1 << 40) + 1
#: What pydevd says when a breakpoint can never be hit: no such file, left out by the user, no such line.
_NEVER = {1: "there is no such file", 2: "this file is left out by `justMyCode`", 4: "there is no code on this line"}


class _Run:
    """A run that is under way."""

    def __init__(self, task: Any, file: str, line: int) -> None:
        self.task = task
        self.file = file
        self.line = line
        #: The user's breakpoint on the line.
        self.shadowed: Any = None

    def add(self) -> int:
        """Sets the breakpoint; on which line it is."""
        pydevd, api = _pydevd()
        condition = "__import__('_weft').runs.stops(globals(),locals())"
        result = api.add_breakpoint(
            pydevd, self.file, "python-line", _NUMBER, self.line, condition, "None", None, "ALL", None, False, True
        )
        line: int = result.translated_line
        if result.error_code in _NEVER or line < self.line:
            self.remove()
            why = _NEVER.get(result.error_code, "there is no code on this line or behind it")
            raise Refused(f"{why}, so the task cannot be run to it")
        # The breakpoints of a file by their numbers, in the order in which they were set.
        for breakpoints in list(pydevd.file_to_id_to_line_breakpoint.values()):
            if _NUMBER in breakpoints:
                others = [each for number, each in breakpoints.items() if number != _NUMBER and each.line == line]
                self.shadowed = others[-1] if others else None
        repairs.retrace()
        return line

    def remove(self) -> None:
        """Takes the breakpoint away."""
        pydevd, api = _pydevd()
        api.remove_breakpoint(pydevd, self.file, "python-line", _NUMBER)


_run: _Run | None = None


def _pydevd() -> tuple[Any, Any]:
    from _pydevd_bundle.pydevd_api import PyDevdAPI
    return debugger(), PyDevdAPI()


@answers("run-to")
def run_to(address: int, number: int, file: str, line: int) -> str | None:
    """Prepares a run of a task to a line; it begins when the program goes on. What there is to say at its begin."""
    global _run
    task = known(address, number)
    if task is None or frame_of(read(task, "_coro")) is None:
        raise Refused("this task has ended")
    run = _run = _Run(task, file, line)
    try:
        line = run.add()
        steps.begin_run(task, line, _over)
        if is_asyncio(read(task, "_loop")):
            watches.watch_run(task, line)
            return None
    except BaseException:
        give_up()
        raise
    return "the end of a task of this loop cannot be seen: if it does not come to the line, pause the program"


@answers("give-up-run")
def give_up() -> None:
    """There is to be no run, and nothing is left of it."""
    steps.end_run()
    _over()


def _over() -> None:
    """Something has stopped the program."""
    global _run
    run, _run = _run, None
    if run is not None:
        watches.end_run(run.task)
        run.remove()


def _again() -> None:
    """Breakpoints were set: pydevd has forgotten those that the file had."""
    run = _run
    if run is not None:
        pydevd, _ = _pydevd()
        if not any(_NUMBER in found for found in list(pydevd.file_to_id_to_line_breakpoint.values())):
            try:
                run.add()
            except Exception as failure:
                message = f"the run to line {run.line} is given up: {exception_text(failure)}"
                give_up()
                tell({"event": "step-lost", "message": message})


repairs.on_set.append(_again)


def stops(scope: dict[str, Any], variables: dict[str, Any]) -> bool:
    """Whether whoever comes to the line stops there: the task, or who hits the user's breakpoint."""
    run = _run
    if run is None:
        return False
    if current_task() is run.task and steps.arrive():
        return True
    shadowed = run.shadowed
    if shadowed is None or shadowed.is_logpoint:
        return False
    frame = types.SimpleNamespace(f_globals=scope, f_locals=variables)
    if not shadowed.has_condition:
        holds = True
    elif shadowed.hit_condition:
        holds = shadowed.handle_hit_condition(frame)
    else:
        # What cannot be evaluated stops, by pydevd's rule and with its words.
        holds = bool(eval(shadowed.condition, scope, variables))
    if holds:
        steps.hits(threading.current_thread(), shadowed.breakpoint_id)
    return holds
