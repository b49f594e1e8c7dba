"""Giving variables, attributes and items other values, in frames on a thread and in suspended ones.

What cannot be made real is refused. Values of frames on a thread are evaluated on that thread, because pydevd calls
`in_frame` and `in_container` there; those of suspended frames on a thread of the probe's.
"""

from __future__ import annotations

import ast
import builtins
import sys
import types
from collections.abc import Callable
from typing import Any

from . import physical, stacks, values
from .link import Refused, answers
from .objects import exception_text

_OPTIMIZED = 1
#: The names by which an assignment knows what is assigned, and what a child is a child of.
_VALUE, _PARENT = "__weft_value__", "__weft_parent__"
#: Frames of one stack.
_DEEPEST = 10_000


class _Scope:
    """Where names mean something: a frame, or else the main module."""

    def __init__(self, frame: types.FrameType | None) -> None:
        self.frame = frame
        self.module: dict[str, Any] = frame.f_globals if frame is not None else sys.modules["__main__"].__dict__

    def names(self) -> dict[str, Any]:
        """All names. (In one dictionary: what a comprehension uses it looks up in the outer one only.)"""
        own = self.frame.f_locals if self.frame is not None else {}
        return {"__builtins__": builtins, **self.module, **own}

    def value(self, source: str) -> Any:
        """What an expression comes to."""
        return eval(compile(source.strip(), "<value>", "eval", dont_inherit=True), self.names())

    def put(self, name: str, value: Any) -> None:
        """Gives a variable another value: that which the name means here."""
        frame = self.frame
        if frame is not None and self.has(frame, name):
            _put_local(frame, name, value)
        elif name in self.module:
            self.module[name] = value
        else:
            raise NameError(f"name {name!r} is not defined")

    @staticmethod
    def has(frame: types.FrameType, name: str) -> bool:
        """Whether a name is a variable of a frame's own. (In a module those are the global ones.)"""
        code = frame.f_code
        if name in code.co_varnames or name in code.co_cellvars or name in code.co_freevars:
            return True
        return frame.f_locals is not frame.f_globals and name in frame.f_locals


def _put_local(frame: types.FrameType, name: str, value: Any) -> None:
    found = frame.f_locals
    found[name] = value
    if sys.version_info < (3, 13) and frame.f_code.co_flags & _OPTIMIZED:
        import ctypes

        # Up to 3.12 that was a copy.
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
    if frame.f_locals.get(name) is not value:
        raise Refused(f"the interpreter keeps the value of `{name}` as it is")


def _assign(scope: _Scope, target: ast.expr, value: str, more: dict[str, Any]) -> None:
    """Gives what a target stands for the value of an expression. `more`: names of ours in the target."""
    if type(target) is ast.Name:
        scope.put(target.id, scope.value(value))
        return
    if type(target) is not ast.Attribute and type(target) is not ast.Subscript:
        raise Refused("only a variable, an attribute or an item can be given another value")
    names = {**scope.names(), **more, _VALUE: scope.value(value)}
    exec(compile(f"{ast.unparse(target)} = {_VALUE}", "<assignment>", "exec", dont_inherit=True), names)


def _parsed(target: str) -> ast.expr:
    return ast.parse(target.strip(), "<expression>", "eval").body


def _told(change: Callable[[], None]) -> None:
    """Makes a change on this thread. Whatever goes wrong is an `Exception`: pydevd catches nothing else."""
    try:
        change()
    except Exception:
        raise
    except BaseException as failure:
        raise RuntimeError(exception_text(failure)) from None


# Frames on a thread.


def in_frame(frame: int | None, target: str, value: str) -> None:
    """Assigns in a frame of pydevd's number, or in the main module."""
    found = physical.frame(frame) if frame is not None else None
    tree = _parsed(target)

    def change() -> None:
        if found is not None and type(tree) is ast.Name and _Scope.has(found, tree.id):
            _need_alive(found)
        _assign(_Scope(found), tree, value, {})

    _told(change)


def in_container(frame: int | None, container: int, name: str, value: str) -> None:
    """Assigns to what pydevd shows by a name in a container of its number: a scope, or a value."""
    scope = _Scope(physical.frame(frame) if frame is not None else None)
    _told(lambda: _in_container(scope, container, name, value))


def _in_container(scope: _Scope, container: int, name: str, value: str) -> None:
    from _pydevd_bundle.pydevd_utils import DAPGrouper, ScopeRequest

    reference = physical.numbered(container)
    scoped = isinstance(reference, ScopeRequest)
    is_module = scoped and reference.scope == "globals"
    reference = reference.variable_reference if scoped else reference
    try:
        parent = physical.debugger().suspended_frames_manager.get_variable(reference).value
    except KeyError:
        raise Refused("the program went on meanwhile") from None
    if type(parent) is DAPGrouper:
        raise Refused("what is shown in a group is changed by an expression, in the console")
    if type(parent) is not types.FrameType:
        _assign(scope, _child(parent, name), value, {_PARENT: parent})
    elif is_module:
        if name not in parent.f_globals:
            raise NameError(f"name {name!r} is not defined")
        parent.f_globals[name] = scope.value(value)
    else:
        if name not in parent.f_locals:
            raise Refused("this is no variable, so it cannot be given another value")
        _need_alive(parent)
        _Scope(parent).put(name, scope.value(value))


def _child(parent: Any, name: str) -> ast.expr:
    """How what pydevd shows by a name in a value is written."""
    from _pydevd_bundle.pydevd_xml import get_type

    _, _, resolver = get_type(parent)
    contents = getattr(resolver, "get_contents_debug_adapter_protocol", None)
    for shown, _, behind in contents(parent) if contents is not None else ():
        if str(shown) == name and behind is not None:
            return _parsed(behind(_PARENT) if callable(behind) else _PARENT + behind)
    raise Refused("this has no name in the program, so it cannot be given another value")


def _need_alive(frame: types.FrameType) -> None:
    """Refuses a frame that has ended: at an exception of a task's those are shown."""
    for top in list(sys._current_frames().values()):
        at: types.FrameType | None = top
        for _ in range(_DEEPEST):
            if at is None:
                break
            if at is frame:
                return
            at = at.f_back
    raise Refused("this call has ended: the program would not see the change")


# Suspended frames.


@answers("assign")
def assign(of: int, target: str, value: str) -> dict[str, Any]:
    """Assigns in a suspended frame, and says what is there then."""
    scope = _suspended(of)
    stacks.run(lambda: _assign(scope, _parsed(target), value, {}))
    return stacks.evaluate(of, target)


@answers("assign-child")
def assign_child(of: int, container: int, kind: str, name: str, value: str) -> dict[str, Any]:
    """Assigns to a variable of a suspended frame, or to a child of a value, and says what is there then."""
    scope, parent = _suspended(of), stacks.kept(container)
    if kind == "locals" or kind == "globals":
        stacks.run(lambda: _assign_variable(scope, kind, name, value))
        names = parent.f_locals if kind == "locals" else parent.f_globals
        return stacks.shown(name, name, names[name])
    behind, _ = _child_of(parent, name)
    stacks.run(lambda: _assign(scope, _parsed(_PARENT + behind), value, {_PARENT: parent}))
    return stacks.shown(name, behind, _child_of(parent, name)[1])


def _suspended(number: int) -> _Scope:
    frame = stacks.kept(number)
    # What the interpreter copies for that does not outlive the stop.
    stacks.locals_of(frame)
    return _Scope(frame)


def _assign_variable(scope: _Scope, kind: str, name: str, value: str) -> None:
    frame: Any = scope.frame
    if name not in (frame.f_locals if kind == "locals" else frame.f_globals):
        raise NameError(f"name {name!r} is not defined")
    if kind == "locals":
        scope.put(name, scope.value(value))
    else:
        frame.f_globals[name] = scope.value(value)


def _child_of(parent: Any, name: str) -> tuple[str, Any]:
    """How a child of a value is written behind that, and what it is."""
    for shown, behind, held in [*values.named(parent, 0, values.MOST_CHILDREN), *_indexed(parent, name)]:
        if shown == name and behind:
            return behind, held
    raise Refused("this has no name in the program, so it cannot be given another value")


def _indexed(parent: Any, name: str) -> list[tuple[str, str, Any]]:
    """The child at an index."""
    at = name[1:-1]
    return values.indexed(parent, int(at), 1) if name == f"[{at}]" and at.isdecimal() else []
