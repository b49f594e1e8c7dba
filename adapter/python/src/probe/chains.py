"""What a suspended coroutine awaits, one after the other: coroutines, generators, async generators, and what lies
between them."""

from __future__ import annotations

import gc
import types
from typing import Any, NamedTuple

from .objects import CFuture, PyFuture, frame_of, is_future

#: A longer chain is followed no further. Awaiting oneself is impossible, so one this long is just deep.
DEEPEST = 10_000
#: Frames of one chain that are told; of a longer one its two ends.
MOST_TOLD = 400

_Coroutine = types.CoroutineType
_Generator = types.GeneratorType
_AsyncGenerator = types.AsyncGeneratorType


def _transparent() -> frozenset[int]:
    """The identities of the interpreter's types that stand between a coroutine and what it awaits."""

    async def generator() -> Any:
        yield

    async def coroutine() -> None:
        pass

    values, awaited = generator(), coroutine()
    between = [values.asend(None), values.athrow(ValueError), awaited.__await__(), anext(values, None)]
    for never_awaited in between:
        never_awaited.close()
    return frozenset(id(type(value)) for value in between)


def _future_iterator() -> type | None:
    """The type of what the accelerator's futures give to who awaits them."""

    class NoLoop:
        def get_debug(self) -> bool:
            return False

    return type(CFuture(loop=NoLoop()).__await__()) if CFuture is not None else None


_TRANSPARENT = _transparent()
#: The type of what the accelerator's futures give to who awaits them; None without it.
FUTURE_ITERATOR = _future_iterator()
_PY_FUTURE_AWAIT = PyFuture.__await__.__code__
_BETWEEN = (_Coroutine, _AsyncGenerator, _Generator)
_COROUTINES_TELL = hasattr(_Coroutine, "cr_suspended")


class Chain(NamedTuple):
    """A task's coroutines, outermost first, and what the innermost one awaits."""

    links: list[Any]
    #: A future, an object that weft does not know, or None.
    end: Any
    cut: bool


def chain_of(coroutine: Any) -> Chain:
    """Follows a coroutine inward."""
    links: list[Any] = []
    at = coroutine
    while at is not None:
        kind = type(at)
        if kind is _Coroutine:
            links.append(at)
            at = at.cr_await
        elif kind is _Generator:
            if at.gi_code is _PY_FUTURE_AWAIT:
                break
            links.append(at)
            at = at.gi_yieldfrom
        elif kind is _AsyncGenerator:
            links.append(at)
            at = at.ag_await
        else:
            inner = behind(at)
            if inner is None:
                break
            at = inner
        if len(links) >= DEEPEST:
            return Chain(links, None, True)
    return Chain(links, at, False)


def ends_of(links: list[Any]) -> tuple[list[Any], int]:
    """The links of a chain that are told, and how many are left out in their middle."""
    left_out = len(links) - MOST_TOLD
    if left_out <= 0:
        return links, 0
    return links[: MOST_TOLD // 2] + links[-MOST_TOLD // 2 :], left_out


def behind(awaitable: Any) -> Any:
    """What an awaitable of the interpreter's own stands for: the async generator of its next value, the coroutine of
    its `__await__`, the future of its iterator. None for all others."""
    kind = type(awaitable)
    if kind is FUTURE_ITERATOR:
        return next(filter(is_future, gc.get_referents(awaitable)), None)
    if id(kind) in _TRANSPARENT:
        for value in gc.get_referents(awaitable):
            if type(value) in _BETWEEN or id(type(value)) in _TRANSPARENT:
                return value
    return None


def is_running(link: Any) -> bool:
    """Whether a coroutine is on a thread's stack."""
    kind = type(link)
    if kind is _Coroutine:
        return link.cr_running
    if kind is _Generator:
        return link.gi_running
    if kind is _AsyncGenerator:
        return link.ag_running
    return False


def has_begun(link: Any) -> bool:
    """Whether a coroutine was ever resumed; True where that is not known."""
    kind = type(link)
    if kind is _Coroutine and _COROUTINES_TELL:
        return link.cr_suspended or link.cr_running or link.cr_frame is None
    if kind is _Generator and _COROUTINES_TELL:
        return link.gi_suspended or link.gi_running or link.gi_frame is None
    frame = frame_of(link)
    return frame is None or frame.f_lasti >= 0


def code_of(link: Any) -> types.CodeType | None:
    """The code of a coroutine, also of one that has ended."""
    kind = type(link)
    if kind is _Coroutine:
        return link.cr_code
    if kind is _Generator:
        return link.gi_code
    if kind is _AsyncGenerator:
        return link.ag_code
    return None
