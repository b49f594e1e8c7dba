"""The frames of suspended tasks: where they are, their variables, and what expressions mean in them.

Frames and values that were handed out are kept until the program goes on, and no longer.
"""

from __future__ import annotations

import builtins
import itertools
import sys
import types
from typing import Any

from . import awaits, values, workers
from .chains import chain_of, ends_of
from .link import Refused, answers
from .listing import Frames, Table
from .objects import exception_text, frame_of, read
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


def _get(number: int) -> Any:
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
    thing = _get(of)
    if kind == "locals":
        found = [(name, name, value) for name, value in _locals(thing).items()]
    elif kind == "globals":
        found = [(name, name, value) for name, value in list(thing.f_globals.items()) if not _is_hidden(name)]
    else:
        found = (values.named if kind == "named" else values.indexed)(thing, start, count)
        start = 0
    found = found[start : start + count]
    rendered = values.render_all([value for _, _, value in found])
    return [_variable(*entry, shown) for entry, shown in zip(found, rendered, strict=True)]


@answers("count")
def count(of: int) -> list[int]:
    """How many variables a frame has, and its module."""
    frame = _get(of)
    return [len(_locals(frame)), sum(1 for name in list(frame.f_globals) if not _is_hidden(name))]


def _is_hidden(name: Any) -> bool:
    return type(name) is not str or name.startswith("__")


def _variable(name: str, expression: str, value: Any, shown: values.Rendered) -> dict[str, Any]:
    told = {"name": name[:400], "text": shown.text, "type": shown.type}
    if expression:
        told["expression"] = expression
    if shown.named or shown.indexed:
        told.update(of=_keep(value), named=shown.named, indexed=shown.indexed)
    return told


def _locals(frame: types.FrameType) -> dict[str, Any]:
    """A frame's variables, in the order in which the function has them."""
    found = frame.f_locals
    if sys.version_info < (3, 13) and frame.f_code.co_flags & 1 and found is not frame.f_globals:
        _copies.append(found)
    return {name: value for name, value in list(found.items()) if type(name) is str}


@answers("evaluate")
def evaluate(of: int, expression: str) -> dict[str, Any]:
    """The value of an expression in a frame, or what a statement does there."""
    frame = _get(of)
    if awaits.awaits(expression):
        raise Refused("`await` works in the frames of a thread that has stopped, not in suspended ones")
    try:
        value = workers.run(lambda: _evaluate(frame, expression), _PATIENCE)
    except workers.Expired:
        raise Refused(f"this takes longer than {_PATIENCE:.0f} s") from None
    except BaseException as failure:
        raise Refused(exception_text(failure)) from None
    if value is _STATEMENT:
        return {"name": "", "text": "", "type": ""}
    return _variable("", expression, value, values.render_all([value])[0])


#: What a statement comes to.
_STATEMENT = object()


def _evaluate(frame: types.FrameType, expression: str) -> Any:
    own = _locals(frame)
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
