"""Where tasks are, said once for all that are in the same places."""

from __future__ import annotations

import os
import types
from typing import Any

from .chains import DEEPEST, FUTURE_ITERATOR, chain_of, code_of, ends_of
from .holds import Codes
from .objects import frame_of, text
from .recognisers import Waits
from .roster import line_of

_Coroutine = types.CoroutineType
#: Where a function begins, in place of an instruction.
_BEGIN = -2


class Table:
    """Things that are said once and named by their number."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def number(self, key: Any) -> int:
        """The number of a thing that is its own key."""
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.rows)
            self.rows.append(key)
        return number


class Frames:
    """Places in code, by code object and instruction."""

    def __init__(self, strings: Table) -> None:
        self.rows: list[Any] = []
        self._strings = strings
        #: By the identity of the code, and the instruction.
        self.numbers: dict[tuple[int, int], int] = {}
        self._kept: list[Any] = []

    def number(self, code: types.CodeType, lasti: int, frame: types.FrameType | None = None) -> int:
        """The number of a place; its line is worked out once."""
        key = (id(code), lasti)
        number = self.numbers.get(key)
        if number is None:
            line = (frame.f_lineno or 0) if frame is not None else line_of(code, lasti)
            number = self._add(key, code, line)
        return number

    def declared(self, code: types.CodeType) -> int:
        """The number of the place where a function begins."""
        key = (id(code), _BEGIN)
        number = self.numbers.get(key)
        return self._add(key, code, code.co_firstlineno) if number is None else number

    def of(self, link: Any) -> int | None:
        """The number of where a coroutine is."""
        frame = frame_of(link)
        if frame is not None:
            return self.number(frame.f_code, frame.f_lasti, frame)
        code = code_of(link)
        return self.declared(code) if code is not None else None

    def _add(self, key: tuple[int, int], code: types.CodeType, line: int) -> int:
        number = self.numbers[key] = len(self.rows)
        string = self._strings.number
        name = getattr(code, "co_qualname", code.co_name)
        self.rows.append((string(text(name)), string(_file(code)), code.co_firstlineno, line))
        self._kept.append(code)
        return number


#: What relative names of files are relative to.
_HOME = os.getcwd()


def _file(code: types.CodeType) -> str:
    name = code.co_filename
    if not name or len(name) > 4096 or name.startswith("<"):
        return name if len(name) <= 4096 else ""
    return os.path.join(_HOME, name)


class Chains:
    """The chains of tasks. What tasks have in common whose coroutines are in the same places is found out once."""

    def __init__(self, frames: Frames) -> None:
        self.told = Table()
        self.codes = Codes()
        self._frames = frames
        self._shapes: dict[tuple[int, ...], Shape] = {}

    def of(self, coroutine: Any) -> tuple[Shape, list[Any], bool]:
        """Follows a task's coroutine inward: what it has in common with others, the coroutines, and whether a future is
        at their end, so that they are suspended."""
        links: list[Any] = []
        places: list[int] = []
        at = coroutine
        # Chains of coroutines alone, which nearly all are, are followed here, without a call for each link.
        while type(at) is _Coroutine and len(links) < DEEPEST:
            frame = at.cr_frame
            if frame is None:
                places += (id(at.cr_code), _BEGIN)
            else:
                places += (id(frame.f_code), frame.f_lasti)
            links.append(at)
            at = at.cr_await
        awaits = type(at) is FUTURE_ITERATOR
        cut = False
        if at is not None and not awaits:
            links, _, cut = chain_of(coroutine)
            places = [part for link in links for part in _place(link)]
        shape = self._shapes.get(key := (*places, cut))
        if shape is None:
            shape = self._shapes[key] = Shape(links, cut, self)
        return shape, links, awaits

    def number(self, places: list[int]) -> tuple[int, int]:
        """The number of a chain, of which only the ends are told if it is long; and how many are left out then."""
        told, left_out = ends_of(places)
        return self.told.number(tuple(told)), left_out

    def entry(self, coroutine: Any) -> int | None:
        """The number of where the function of a coroutine begins."""
        code = code_of(coroutine)
        return self._frames.declared(code) if code is not None else None

    def places(self, links: list[Any]) -> list[int]:
        """The numbers of where coroutines are."""
        return [place for place in map(self._frames.of, links) if place is not None]


def _place(link: Any) -> tuple[int, int]:
    frame = frame_of(link)
    return (id(code_of(link)), _BEGIN) if frame is None else (id(frame.f_code), frame.f_lasti)


class Shape:
    """What tasks have in common whose coroutines are in the same places."""

    def __init__(self, links: list[Any], cut: bool, chains: Chains) -> None:
        codes = [code_of(link) for link in links]
        self.chain, self.left_out = chains.number(chains.places(links))
        self.entry = chains.entry(links[0]) if links else None
        self.cut = cut
        #: Which of them may be inside of a context manager.
        self.entering = [at for at, code in enumerate(codes) if chains.codes.may_enter(code)]
        self.waits = Waits(codes)
        #: Waits for an object that says everything of them: their numbers, by that.
        self.told: dict[int, int] = {}
