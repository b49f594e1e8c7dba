"""Values as users read them: rendered when somebody looks at them, no further than they look, and for so long only.

What the interpreter's own types hold is rendered here. For the program's own types their `repr` is asked, in a thread
that is given up when it takes too long.
"""

from __future__ import annotations

import collections
import itertools
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

from . import workers
from .objects import fields, is_a, mro, namespace, type_name

#: Characters of one value's text, and of one string in it.
_LONGEST = 1000
_LONGEST_STRING = 400
#: Members of a container, and containers within containers, that one text shows.
_MOST_MEMBERS = 12
_DEEPEST = 3
#: Seconds for the program's own code in one answer.
_BUDGET = 1.0
#: Children of a value that are looked at.
MOST_CHILDREN = 10_000


class Rendered:
    """A value's text, its type's name, and how many children it has."""

    __slots__ = ("text", "type", "named", "indexed")

    def __init__(self, value: Any, shown: str) -> None:
        self.text = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}… ({len(shown)} characters)"
        self.type = type_name(value)
        self.named, self.indexed = counts(value)


def render_all(values: list[Any]) -> list[Rendered]:
    """Renders values; those for which there is no time by their type alone."""
    rendered: list[Rendered] = []
    deadline = time.monotonic() + _BUDGET
    while len(rendered) < len(values):
        batch = _Batch(values[len(rendered) :])
        left = deadline - time.monotonic()
        if left <= 0:
            rendered.extend(Rendered(value, _text(value, 0, _plain)) for value in batch.values)
            break
        try:
            workers.run(batch.run, left)
            rendered.extend(batch.rendered)
        except BaseException as failure:
            batch.wanted = False
            rendered.extend(batch.rendered[: len(batch.values)])
            if len(rendered) < len(values):
                what = "takes too long" if type(failure) is workers.Expired else f"raises {type_name(failure)}"
                value = values[len(rendered)]
                rendered.append(Rendered(value, f"{_plain(value)} (its repr {what})"))
    return rendered


class _Batch:
    """Values that are rendered in a thread that may have to be given up."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values
        self.rendered: list[Rendered] = []
        self.wanted = True

    def run(self) -> None:
        for value in self.values:
            if not self.wanted:
                return
            self.rendered.append(Rendered(value, _text(value, 0, _ask)))


def _ask(value: Any) -> str:
    """What the program says of its own object."""
    try:
        said = repr(value)
    except workers.Expired:
        raise
    except BaseException as failure:
        return f"{_plain(value)} (its repr raises {type_name(failure)})"
    return str.__str__(said)


def _plain(value: Any) -> str:
    """An object by its type."""
    return f"<{type_name(value)} object at {id(value):#x}>"


def _text(value: Any, depth: int, other: Callable[[Any], str]) -> str:
    kind = type(value)
    if kind is str or kind is bytes:
        cut = value[:_LONGEST_STRING]
        return repr(value) if len(value) <= _LONGEST_STRING else f"{cut!r}… ({len(value)} in all)"
    if kind is int:
        bits = value.bit_length()
        return repr(value) if bits <= 4000 else f"{hex(value >> (bits - 64))}… ({bits} bits)"
    if id(kind) in _OWN_REPR:
        return repr(value)
    if id(kind) in _BRACKETS:
        begin, end = _BRACKETS[id(kind)]
        if depth >= _DEEPEST:
            return f"{begin}…{end}" if len(value) else begin + end
        members = _members(value, depth, other)
        return f"{begin}{', '.join(members)}{',' if kind is tuple and len(value) == 1 else ''}{end}"
    return other(value)


#: By identity: to look a class up by itself would ask its metaclass for a hash.
_OWN_REPR = frozenset(
    map(id, (float, complex, bool, type(None), type(Ellipsis), range, types.CodeType, types.FrameType))
)
_BRACKETS = {
    id(list): ("[", "]"),
    id(tuple): ("(", ")"),
    id(set): ("{", "}"),
    id(frozenset): ("frozenset({", "})"),
    id(dict): ("{", "}"),
    id(collections.deque): ("deque([", "])"),
}


def _members(value: Any, depth: int, other: Callable[[Any], str]) -> list[str]:
    shown = []
    for member in itertools.islice(value.items() if type(value) is dict else value, _MOST_MEMBERS):
        if type(value) is dict:
            key, held = member
            shown.append(f"{_text(key, depth + 1, other)}: {_text(held, depth + 1, other)}")
        else:
            shown.append(_text(member, depth + 1, other))
    if len(value) > _MOST_MEMBERS:
        shown.append(f"… {len(value) - _MOST_MEMBERS} more")
    return shown


# What is inside of a value.


def counts(value: Any) -> tuple[int, int]:
    """How many children have a name, and how many have an index."""
    sequence = _sequence(value)
    named = dict.__len__(value) if is_a(value, dict) else 0
    if id(type(value)) not in _CLOSED:
        named += sum(1 for _ in attributes(value))
    return min(named, MOST_CHILDREN), sequence.__len__(value) if sequence is not None else 0


_CLOSED = frozenset(_BRACKETS) | frozenset(map(id, (str, bytes, bytearray, int, float, complex, bool, type(None))))
_SEQUENCES = (list, tuple, set, frozenset, collections.deque)


def _sequence(value: Any) -> Any:
    """Which of the interpreter's containers a value is, or is made from."""
    return next((kind for kind in _SEQUENCES if is_a(value, kind)), None)


def attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """The attributes that lie in an object, without those its class computes."""
    yield from ((name, held) for name, held in list(fields(value).items()) if type(name) is str)
    for cls in mro(type(value)):
        for name, member in list(namespace(cls).items()):
            if type(member) is types.MemberDescriptorType and not name.startswith("__"):
                try:
                    yield name, member.__get__(value)
                except AttributeError:  # it has no value yet
                    pass


def named(value: Any, start: int, count: int) -> list[tuple[str, str, Any]]:
    """Children with a name: that, how it is written behind the parent's expression, and what it is."""
    found: list[tuple[str, str, Any]] = []
    if is_a(value, dict):
        for key, held in itertools.islice(dict.items(value), start, start + count):
            simple = type(key) in (str, int, bool, float)
            shown = _text(key, _DEEPEST - 1, _plain)
            found.append((shown, f"[{key!r}]" if simple else "", held))
    else:
        for name, held in itertools.islice(attributes(value), start, start + count):
            found.append((name, f".{name}", held))
    return found


def indexed(value: Any, start: int, count: int) -> list[tuple[str, str, Any]]:
    """Children with an index."""
    sequence = _sequence(value)
    if sequence is None:
        return []
    members = itertools.islice(sequence.__iter__(value), start, start + count)
    subscript = sequence not in (set, frozenset)
    return [(f"[{at}]", f"[{at}]" if subscript else "", held) for at, held in enumerate(members, start)]
