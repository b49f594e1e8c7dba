"""The frames of suspended tasks: where they are, their variables, and what expressions mean in them.

Frames and values that were handed out are kept until the program goes on, and no longer.
"""

from __future__ import annotations

import builtins
import itertools
import sys
import types
from collections.abc import Callable
from typing import Any

from . import awaits, values, workers
from .chains import chain_of, ends_of
from .link import Refused, answers
from .objects import exception_text, frame_of, read
from .places import Frames, Table
from .roster import known

#: Seconds for an expression of the user's.
_PATIENCE = 8.0

_kept: dict[int, Any] = {}
_numbers = itertools.count(1)
#: What up to 3.12 the interpreter keeps for a frame whose variables were asked for.
_copies: list[dict[str, Any]] = []


def forget() -> None:
    """The program goes on."""
    _kept.clear()
    while _copies:
        _copies.pop().clear()


def _keep(thing: Any) -> int:
    number = next(_numbers)
    _kept[number] = thing
    return number


def kept(number: int) -> Any:
    """What was handed out by a number."""
    if number not in _kept:
        raise Refused("the program went on meanwhile")
    return _kept[number]


@answers("stack")
def stack(tasks: list[list[int]]) -> dict[str, Any]:
    """The frames of tasks, outermost first: of each its place and a number for it. Behind them how many are left out in
    their middle."""
    strings = Table()
    frames = Frames(strings)
    told = []
    for address, number in tasks:
        task = known(address, number)
        links, left_out = ends_of(chain_of(read(task, "_coro")).links if task is not None else [])
        rows = []
        for link in links:
            frame = frame_of(link)
            if frame is not None:
                rows.append([frames.number(frame.f_code, frame.f_lasti, frame), _keep(frame)])
        told.append([rows, left_out])
    return {"strings": strings.rows, "frames": frames.rows, "tasks": told}


@answers("variables")
def variables(of: int, kind: str, start: int, count: int) -> list[dict[str, Any]]:
    """Variables of a frame (`locals`, `globals`), or children of a value (`named`, `indexed`)."""
    thing = kept(of)
    if kind == "locals":
        found = [(name, name, value) for name, value in locals_of(thing).items()]
    elif kind == "globals":
        found = [(name, name, value) for name, value in list(thing.f_globals.items()) if not _is_hidden(name)]
    else:
        found = (values.named if kind == "named" else values.indexed)(thing, start, count)
        start = 0
    found = found[start : start + count]
    rendered = values.render_all([value for _, _, value in found])
    return [shown_as(*entry, value) for entry, value in zip(found, rendered, strict=True)]


@answers("count")
def count(of: int) -> list[int]:
    """How many variables a frame has, and its module."""
    frame = kept(of)
    return [len(locals_of(frame)), sum(1 for name in list(frame.f_globals) if not _is_hidden(name))]


def _is_hidden(name: Any) -> bool:
    return type(name) is not str or name.startswith("__")


def shown(name: str, expression: str, value: Any) -> dict[str, Any]:
    """A value by its name, and how that is written."""
    return shown_as(name, expression, value, values.render_all([value])[0])


def shown_as(name: str, expression: str, value: Any, rendered: values.Rendered) -> dict[str, Any]:
    """The same for a value that is rendered already."""
    told = {"name": name[:400], "text": rendered.text, "type": rendered.type}
    if expression:
        told["expression"] = expression
    if rendered.named or rendered.indexed:
        told.update(of=_keep(value), named=rendered.named, indexed=rendered.indexed)
    return told


def locals_of(frame: types.FrameType) -> dict[str, Any]:
    """A frame's variables, in the order in which the function has them."""
    found = frame.f_locals
    if sys.version_info < (3, 13) and frame.f_code.co_flags & 1 and found is not frame.f_globals:
        _copies.append(found)
    return {name: value for name, value in list(found.items()) if type(name) is str}


@answers("evaluate")
def evaluate(of: int, expression: str) -> dict[str, Any]:
    """The value of an expression in a frame, or what a statement does there."""
    frame = kept(of)
    if awaits.awaits(expression):
        raise Refused("`await` works in the frames of a thread that has stopped, not in suspended ones")
    value = run(lambda: _evaluate(frame, expression))
    if value is _STATEMENT:
        return {"name": "", "text": "", "type": ""}
    return shown("", expression, value)


def run(what: Callable[[], Any]) -> Any:
    """What something of the user's comes to; what goes wrong is a sentence."""
    try:
        return workers.run(what, _PATIENCE)
    except workers.Expired:
        raise Refused(f"this takes longer than {_PATIENCE:.0f} s") from None
    except Refused:
        raise
    except BaseException as failure:
        raise Refused(exception_text(failure)) from None


#: What a statement comes to.
_STATEMENT = object()


def _evaluate(frame: types.FrameType, expression: str) -> Any:
    own = locals_of(frame)
    scope = {**frame.f_globals, **own}
    scope.setdefault("__builtins__", builtins)
    try:
        code = compile(expression.strip(), "<expression>", "eval", dont_inherit=True)
    except SyntaxError:
        code = None
    if code is not None:
        return eval(code, scope)
    exec(compile(expression, "<expression>", "exec", dont_inherit=True), scope)
    before = {**frame.f_globals, **own}
    changed = {name: value for name, value in scope.items() if name not in before or before[name] is not value}
    _assign(frame, {name: value for name, value in changed.items() if name in own})
    foreign = sorted(name for name in changed if name not in own and name != "__builtins__")
    if foreign:
        raise NameError(f"no variables of this function, so nothing was assigned: {', '.join(foreign)[:200]}")
    return _STATEMENT


def _assign(frame: types.FrameType, changed: dict[str, Any]) -> None:
    """Gives variables of a suspended frame other values."""
    if not changed:
        return
    found = frame.f_locals
    found.update(changed)
    if sys.version_info < (3, 13):
        import ctypes

        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
