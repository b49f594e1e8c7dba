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
from typing import Any, NamedTuple

from . import physical, stacks, values
from .link import Refused, answers
from .objects import exception_text

_OPTIMIZED = 1
#: The names by which an assignment knows what tells an index, and what a child is a child of.
_INDEX, _PARENT = "__weft_index__", "__weft_parent__"
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


class _Assigned(NamedTuple):
    """What was assigned, and how what is there since then is read: from the same object."""

    value: Any
    read: Callable[[], Any]

    def now(self, run: Callable[[Callable[[], Any]], Any]) -> Any:
        """What is there. The change is made, also if that cannot be read."""
        try:
            return run(self.read)
        except BaseException:
            return self.value


def _assign(scope: _Scope, target: ast.expr, value: str, more: dict[str, Any]) -> _Assigned:
    """Gives what a target stands for the value of an expression. `more`: names of ours in the target, each part of
    which is evaluated once."""
    if type(target) is ast.Name:
        name, new = target.id, scope.value(value)
        scope.put(name, new)
        return _Assigned(new, lambda: scope.names()[name])
    if type(target) is not ast.Attribute and type(target) is not ast.Subscript:
        raise Refused("only a variable, an attribute or an item can be given another value")
    new = scope.value(value)
    names = {**scope.names(), **more, _INDEX: _Index()}
    parent = _part(target.value, names)
    if type(target) is ast.Attribute:
        attribute = target.attr
        setattr(parent, attribute, new)
        return _Assigned(new, lambda: getattr(parent, attribute))
    index = _part(ast.Subscript(ast.Name(_INDEX, ast.Load()), target.slice, ast.Load()), names)
    parent[index] = new
    return _Assigned(new, lambda: parent[index])


class _Index:
    """Gives back what it is indexed with: a slice is no expression by itself."""

    def __getitem__(self, index: Any) -> Any:
        return index


def _part(tree: ast.expr, names: dict[str, Any]) -> Any:
    """What a part of a target comes to."""
    whole = ast.fix_missing_locations(ast.Expression(tree))
    return eval(compile(whole, "<assignment>", "eval", dont_inherit=True), names)


def _parsed(target: str) -> ast.expr:
    return ast.parse(target.strip(), "<expression>", "eval").body


def _made(frame: int | None, change: Callable[[], _Assigned]) -> Any:
    """Makes a change on this thread: what is there then, or without a frame, where pydevd shows no value, its text.
    Whatever goes wrong is an `Exception`: pydevd catches nothing else."""
    try:
        now = change().now(lambda read: read())
        return now if frame is not None else values.render_all([now])[0].text
    except Exception:
        raise
    except BaseException as failure:
        raise RuntimeError(exception_text(failure)) from None


# Frames on a thread.


def in_frame(frame: int | None, target: str, value: str) -> Any:
    """Assigns in a frame of pydevd's number, or in the main module."""
    found = physical.frame(frame) if frame is not None else None
    tree = _parsed(target)

    def change() -> _Assigned:
        if found is not None and type(tree) is ast.Name and _Scope.has(found, tree.id):
            _need_alive(found)
        return _assign(_Scope(found), tree, value, {})

    return _made(frame, change)


def in_container(frame: int | None, container: int, name: str, value: str) -> Any:
    """Assigns to what pydevd shows by a name in a container of its number: a scope, or a value."""
    scope = _Scope(physical.frame(frame) if frame is not None else None)
    return _made(frame, lambda: _in_container(scope, container, name, value))


def _in_container(scope: _Scope, container: int, name: str, value: str) -> _Assigned:
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
        return _assign(scope, _child(parent, name), value, {_PARENT: parent})
    if is_module:
        return _assign_variable(scope, parent, "globals", name, value)
    if name not in parent.f_locals:
        raise Refused("this is no variable, so it cannot be given another value")
    _need_alive(parent)
    return _assign_variable(scope, parent, "locals", name, value)


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
    assigned: _Assigned = stacks.run(lambda: _assign(scope, _parsed(target), value, {}))
    return stacks.shown("", target, assigned.now(stacks.run))


@answers("assign-child")
def assign_child(of: int, container: int, kind: str, name: str, value: str) -> dict[str, Any]:
    """Assigns to a variable of a suspended frame, or to a child of a value, and says what is there then."""
    scope, parent = _suspended(of), stacks.kept(container)
    if kind == "locals" or kind == "globals":
        assigned: _Assigned = stacks.run(lambda: _assign_variable(scope, scope.frame, kind, name, value))
        return stacks.shown(name, name, assigned.now(stacks.run))
    behind = _behind(parent, name)
    assigned = stacks.run(lambda: _assign(scope, _parsed(_PARENT + behind), value, {_PARENT: parent}))
    return stacks.shown(name, behind, assigned.now(stacks.run))


def _suspended(number: int) -> _Scope:
    frame = stacks.kept(number)
    # What the interpreter copies for that does not outlive the stop.
    stacks.locals_of(frame)
    return _Scope(frame)


def _assign_variable(scope: _Scope, frame: Any, kind: str, name: str, value: str) -> _Assigned:
    """Gives a variable of a frame, or of its module, the value of an expression in a scope."""
    if name not in (frame.f_locals if kind == "locals" else frame.f_globals):
        raise NameError(f"name {name!r} is not defined")
    new = scope.value(value)
    if kind == "locals":
        _Scope(frame).put(name, new)
        return _Assigned(new, lambda: frame.f_locals[name])
    frame.f_globals[name] = new
    return _Assigned(new, lambda: frame.f_globals[name])


def _behind(parent: Any, name: str) -> str:
    """How a child of a value is written behind that."""
    for shown, behind, _ in [*values.named(parent, 0, values.MOST_CHILDREN), *_indexed(parent, name)]:
        if shown == name and behind:
            return behind
    raise Refused("this has no name in the program, so it cannot be given another value")


def _indexed(parent: Any, name: str) -> list[tuple[str, str, Any]]:
    """The child at an index."""
    at = name[1:-1]
    return values.indexed(parent, int(at), 1) if name == f"[{at}]" and at.isdecimal() else []
