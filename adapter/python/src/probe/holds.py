"""What a suspended task has entered and not left: locks, semaphores, time limits.

asyncio's locks do not know who has them. But inside `async with lock:` the coroutine's stack holds the lock's exit
method: a bound `__aexit__`, or from 3.14 on the function followed by the object itself. A bare `acquire()` leaves no
such trace.
"""

from __future__ import annotations

import _thread
import asyncio
import collections
import contextlib
import dis
import sys
import types
from collections.abc import Iterator
from typing import Any, NamedTuple

from .chains import code_of
from .objects import fields, first, function_of, in_class, is_a, module_of, slots, type_name
from .waits import until

_EXITS = ("__aexit__", "__exit__")
_Builtin = types.BuiltinMethodType
_MethodDescriptor = type(str.join)
#: The identities of the types that exit methods are of.
_CALLED = frozenset(map(id, (types.MethodType, types.FunctionType, _Builtin, _MethodDescriptor)))
_Timeout = getattr(asyncio, "Timeout", None)
_AENTER = function_of(asyncio.Lock.__aenter__)
_CONDITION_WAIT = function_of(asyncio.Condition.wait)
#: Context managers of libraries that end what is inside in time.
_LIMITS = {"async_timeout": ("Timeout",), "anyio": ("CancelScope",)}
#: Context managers within context managers that are followed.
_DEEPEST = 8


class Held(NamedTuple):
    """Something that a task has."""

    object: Any
    how: str
    #: The coroutine of the chain that entered it.
    link: Any


_WITH = frozenset(
    dis.opmap[name]
    for name in ("BEFORE_ASYNC_WITH", "BEFORE_WITH", "SETUP_WITH", "SETUP_ASYNC_WITH", "LOAD_SPECIAL")
    if name in dis.opmap
)


def entered(link: Any, depth: int = 0) -> Iterator[Any]:
    """The context managers that a suspended coroutine is inside of, outermost first; those of exit stacks and of
    generators that are context managers included."""
    values = slots(link)
    for at, value in enumerate(values):
        if id(type(value)) not in _CALLED:
            continue
        manager = _manager(value, values[at + 1] if at + 1 < len(values) else None)
        if manager is not None:
            yield from _unfolded(manager, depth)


def _manager(value: Any, behind: Any) -> Any:
    """The object whose exit method a value is; `behind` is the value that follows it."""
    kind = type(value)
    if kind is types.MethodType:
        function = value.__func__
        return value.__self__ if type(function) is types.FunctionType and function.__name__ in _EXITS else None
    if kind is _Builtin:
        return value.__self__ if value.__name__ in _EXITS else None
    if sys.version_info >= (3, 14) and kind in (types.FunctionType, _MethodDescriptor) and value.__name__ in _EXITS:
        # A function that lies in a variable has nothing to do with what lies behind it.
        return behind if in_class(behind, value.__name__) is value else None
    return None


def _unfolded(manager: Any, depth: int) -> Iterator[Any]:
    yield manager
    if depth >= _DEEPEST:
        return
    if is_a(manager, contextlib.AsyncExitStack) or is_a(manager, contextlib.ExitStack):
        exits = fields(manager).get("_exit_callbacks")
        for entry in list(exits) if type(exits) is collections.deque else []:
            inner = _manager(entry[1], None) if type(entry) is tuple and len(entry) == 2 else None
            if inner is not None:
                yield from _unfolded(inner, depth + 1)
    elif is_a(manager, contextlib._GeneratorContextManagerBase):
        generator = fields(manager).get("gen")
        if type(generator) in (types.GeneratorType, types.AsyncGeneratorType):
            yield from entered(generator, depth + 1)


class Codes:
    """Which code can be inside of a context manager, found out once for each."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[types.CodeType, bool]] = {}

    def may_enter(self, code: types.CodeType | None) -> bool:
        """Whether it has a `with` or an `async with`."""
        known = self._known.get(id(code))
        if known is None:
            if code is None:
                return False
            known = self._known[id(code)] = (code, any(opcode in _WITH for opcode in code.co_code[::2]))
        return known[1]


class Limit(NamedTuple):
    """Something that ends in time what is inside of it."""

    #: In so many milliseconds, where that is known.
    until: int | None


def held_by(links: list[Any], entering: list[int]) -> tuple[list[Held], list[Limit]]:
    """What the coroutines of a suspended task hold, and the time limits that they are inside of; `entering`: which of
    them may have entered anything."""
    held: list[Held] = []
    limits: list[Limit] = []
    for link in [links[at] for at in entering]:
        for manager in entered(link):
            lock, how = lock_of(manager)
            if how:
                held.append(Held(lock, how, link))
            elif is_limit(manager):
                limits.append(Limit(until(fields(manager).get("_when")) if is_a(manager, _Timeout) else None))
    acquiring = being_acquired(links) if held else None
    for at in range(len(held) - 1, -1, -1):
        if held[at].object is acquiring:
            del held[at]
            break
    return held, limits


def is_limit(manager: Any) -> bool:
    """Whether a context manager ends in time what is inside of it."""
    if is_a(manager, _Timeout):
        return fields(manager).get("_when") is not None
    return type_name(manager) in _LIMITS.get(module_of(manager), ())


def lock_of(manager: Any) -> tuple[Any, str]:
    """The lock that a context manager is or has, and how it is held; an empty word for what is none."""
    if is_a(manager, asyncio.Condition):
        manager = fields(manager).get("_lock")
    if is_a(manager, asyncio.Lock):
        return manager, "lock" if fields(manager).get("_locked") is True else ""
    if is_a(manager, asyncio.Semaphore):
        return manager, "permit"
    if type(manager) in (_thread.LockType, _thread.RLock):
        return manager, "blocking-lock"
    return None, ""


def being_acquired(links: list[Any]) -> Any:
    """The lock that the innermost coroutines are acquiring for an `async with`, whose exit is on the stack already;
    or that a condition has given back for as long as it waits."""
    for link in links[-1:-4:-1]:
        code = code_of(link)
        if code is _CONDITION_WAIT:
            condition = first(slots(link), asyncio.Condition)
            return fields(condition).get("_lock") if condition is not None else None
        if code is _AENTER:
            manager = first(slots(link), asyncio.mixins._LoopBoundMixin)
            return fields(manager).get("_lock") if is_a(manager, asyncio.Condition) else manager
    return None
