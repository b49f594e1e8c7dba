"""What an expression that is being typed may go on with. None of the program's code is run for it: attributes are those
that lie in objects and classes, and of what a property or a call would give nothing is known."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import sys
import types
from collections.abc import Iterator
from typing import Any

from . import physical, stacks
from .link import answers
from .objects import fields, is_a, mro, namespace

#: Names that are told.
_MOST = 1000
#: Characters of a line that are looked at.
_LONGEST = 1000
_NAME = r"[^\W\d]\w*"
#: A name with attributes and simple items, and the begin of a further attribute.
_BEHIND = re.compile(rf"""({_NAME}(?:\.{_NAME}|\[(?:-?\d+|'[^'\\]*'|"[^"\\]*")\])*)\.({_NAME})?$""")
_ALONE = re.compile(rf"({_NAME})?$")
#: Strings and comments; one that is not closed reaches to the end.
_QUOTED = re.compile(r"""('''|\"\"\").*?(\1|\Z)|'(\\.|[^'\\\n])*('|\Z|\n)|"(\\.|[^"\\\n])*("|\Z|\n)|\#[^\n]*""", re.DOTALL)
_UNKNOWN = object()


@answers("complete")
def complete(text: str, of: int | None = None, frame: int | None = None) -> dict[str, Any]:
    """What may follow a text, in a suspended frame (`of`), in one on a thread (`frame`: pydevd's number), or else in
    the main module: the begin of the name that is there, and names with what they are, in their order."""
    where = physical.frame(frame) if frame is not None else None
    if of is not None:
        where = stacks.kept(of)
        stacks.locals_of(where)
    if _is_quoted(text):
        return {"begin": "", "names": []}
    line = text[-_LONGEST:]
    behind = _BEHIND.search(line)
    if behind is not None and line[behind.start() - 1 : behind.start()] not in _NOT_BEFORE:
        begin = behind[2] or ""
        value = _value_of(behind[1], where)
        names = _attributes(value) if value is not _UNKNOWN else iter(())
    else:
        alone = _ALONE.search(line)
        begin = alone[1] or "" if alone is not None else ""
        before = line[: len(line) - len(begin)]
        names = iter(()) if before[-1:].isdecimal() or before.rstrip().endswith(".") else _variables(where)
    return {"begin": begin, "names": _beginning(names, begin)}


#: What makes that which follows an attribute, or no name at all.
_NOT_BEFORE = (".", ")", "]", "}", "'", '"', *"0123456789")


def _is_quoted(text: str) -> bool:
    """Whether the end of a text is within a string or a comment."""
    last = None
    for last in _QUOTED.finditer(text):
        pass
    if last is None or last.end() < len(text):
        return False
    quoted = last[0]
    mark = quoted[:3] if quoted[:3] in ("'''", '"""') else quoted[0]
    return mark == "#" or len(quoted) < 2 * len(mark) or not quoted.endswith(mark) or quoted.endswith("\\" + mark)


def _beginning(names: Iterator[tuple[str, str]], begin: str) -> list[tuple[str, str]]:
    """Those that begin so, each once; those with underscores only if they are asked for."""
    found: dict[str, str] = {}
    for name, kind in names:
        hidden = name.startswith("_") and not begin.startswith("_")
        if name.startswith(begin) and not hidden and name not in found:
            found[name] = kind
        if len(found) >= _MOST:
            break
    return list(found.items())


def _variables(frame: types.FrameType | None) -> Iterator[tuple[str, str]]:
    for names in _namespaces(frame):
        yield from sorted((name, _kind(value)) for name, value in list(names.items()) if type(name) is str)
    yield from ((word, "keyword") for word in keyword.kwlist)


def _namespaces(frame: types.FrameType | None) -> list[dict[str, Any]]:
    """Where a name is looked up, the innermost first."""
    if frame is None:
        return [sys.modules["__main__"].__dict__, vars(builtins)]
    return [dict(frame.f_locals), frame.f_globals, vars(builtins)]


# What an expression stands for, as far as that lies there.


def _value_of(text: str, frame: types.FrameType | None) -> Any:
    try:
        return _value(ast.parse(text, mode="eval").body, frame)
    except (SyntaxError, ValueError):  # `if.`, `x[007].`
        return _UNKNOWN


def _value(tree: ast.expr, frame: types.FrameType | None) -> Any:
    if type(tree) is ast.Name:
        found = (names[tree.id] for names in _namespaces(frame) if tree.id in names)
        return next(found, _UNKNOWN)
    if type(tree) is ast.Attribute:
        value = _value(tree.value, frame)
        return _attribute(value, tree.attr) if value is not _UNKNOWN else _UNKNOWN
    if type(tree) is ast.Subscript:
        return _item(_value(tree.value, frame), ast.literal_eval(tree.slice))
    return _UNKNOWN


def _item(value: Any, key: Any) -> Any:
    kind = type(value)
    if kind is dict:
        # Not by its hash: a key of the program's own class would be asked whether it is the same.
        found = (held for own, held in list(value.items()) if type(own) is type(key) and own == key)
        return next(found, _UNKNOWN)
    if kind in (list, tuple) and type(key) is int and -len(value) <= key < len(value):
        return value[key]
    return _UNKNOWN


def _attribute(value: Any, name: str) -> Any:
    """What lies under a name in an object or its class; not what a descriptor would compute."""
    if is_a(value, type):
        return _plain(_in_classes(value, name))
    member = _in_classes(type(value), name)
    if type(member) is types.MemberDescriptorType:
        try:
            return member.__get__(value)
        except AttributeError:
            return _UNKNOWN
    if type(member) is property or (member is not _UNKNOWN and _in_classes(type(member), "__set__") is not _UNKNOWN):
        return _UNKNOWN
    own = _own(value)
    return own[name] if name in own else _plain(member)


def _own(value: Any) -> dict[str, Any]:
    """The attributes that lie in an object itself, or a module."""
    return _names_of_module(value) if is_a(value, types.ModuleType) else fields(value)


_names_of_module = namespace(types.ModuleType)["__dict__"].__get__


def _plain(member: Any) -> Any:
    """A member of a class that stands for itself."""
    if type(member) is types.FunctionType or _in_classes(type(member), "__get__") is _UNKNOWN:
        return member
    return _UNKNOWN


def _in_classes(cls: type, name: str) -> Any:
    return next((namespace(each)[name] for each in mro(cls) if name in namespace(each)), _UNKNOWN)


def _attributes(value: Any) -> Iterator[tuple[str, str]]:
    """The names behind an object's dot: its own, then those of its class."""
    found = dict(_own(value)) if not is_a(value, type) else {}
    yield from sorted((name, _kind(held, "field")) for name, held in found.items() if type(name) is str)
    for cls in mro(value if is_a(value, type) else type(value)):
        members = ((name, _kind(member, "field", "method")) for name, member in list(namespace(cls).items()))
        yield from sorted(member for member in members if type(member[0]) is str)


def _kind(value: Any, other: str = "variable", function: str = "function") -> str:
    """What something is, in DAP's words."""
    if is_a(value, type):
        return "class"
    if type(value) is types.ModuleType:
        return "module"
    if type(value) in _FUNCTIONS:
        return function
    return "property" if type(value) is property else other


_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    classmethod,
    staticmethod,
)
