"""Looking at the program's objects without running any of its code.

No attribute of an object whose class may be the user's is asked for in the usual way: descriptors, `__getattr__`,
`__class__` and metaclasses are code. What is read here lies in the object itself, and is found by what its class
really is.
"""

from __future__ import annotations

import asyncio
import gc
import re
import sys
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any

try:
    import _asyncio
except ImportError:  # an interpreter without the accelerator
    _asyncio = None  # type: ignore[assignment]

#: A longer text is cut.
LONGEST = 200

mro = type.__dict__["__mro__"].__get__
_module = type.__dict__["__module__"].__get__
namespace = type.__dict__["__dict__"].__get__

CFuture: Any = getattr(_asyncio, "Future", None)
CTask: Any = getattr(_asyncio, "Task", None)
PyFuture: Any = asyncio.futures._PyFuture
PyTask: Any = asyncio.tasks._PyTask


def is_a(value: object, cls: type | None) -> bool:
    """Whether the class of a value is, or is made from, `cls`; what `__class__` says does not count."""
    return cls is not None and issubclass(type(value), cls)


def fields(value: object) -> dict[str, Any]:
    """The attributes that lie in an object itself."""
    for cls in mro(type(value)):
        getter = namespace(cls).get("__dict__")
        if type(getter) is types.GetSetDescriptorType:
            return getter.__get__(value)
    return {}


def in_class(value: object, name: str) -> Any:
    """What a value's class has under a name, as it lies there."""
    for cls in mro(type(value)):
        if name in namespace(cls):
            return namespace(cls)[name]
    return None


def text(value: object) -> str:
    """A value that should be a string, cut where it is too long."""
    if type(value) is str and len(value) <= LONGEST:
        return value
    if not is_a(value, str):
        return ""
    cut = str.__getitem__(value, slice(None, LONGEST))  # type: ignore[arg-type]
    return cut if str.__len__(value) <= LONGEST else cut + "…"  # type: ignore[arg-type]


def exception_text(failure: BaseException) -> str:
    """An exception as users read it, as far as no code of theirs is needed: its class, and what it was made with."""
    said = BaseException.args.__get__(failure)  # type: ignore[attr-defined]
    if type(failure) is SyntaxError and len(said) == 2 and type(said[0]) is str:
        return text(f"SyntaxError: {said[0]}")
    plain = said if type(said) is tuple and all(type(value) in _PLAIN for value in said[:8]) else ()
    if len(plain) == 1:
        return text(f"{type_name(failure)}: {plain[0]}")
    if is_a(failure, OSError) and len(plain) == 2:
        return text(f"{type_name(failure)}: [Errno {plain[0]}] {plain[1]}")
    return type_name(failure)


_PLAIN = (str, int, float, bool, type(None))


def type_name(value: object) -> str:
    """The name of a value's class."""
    return text(type.__dict__["__name__"].__get__(type(value)))


def module_of(value: object) -> str:
    """The top-level module in which a value's class was made."""
    return text(_module(type(value))).partition(".")[0]


def is_future(value: object) -> bool:
    """Whether something is a future of asyncio, and not merely like one."""
    return is_a(value, CFuture) or is_a(value, PyFuture)


def is_task(value: object) -> bool:
    """Whether something is a task of asyncio, and not merely like one."""
    return is_a(value, CTask) or is_a(value, PyTask)


def _c_readers(names: Iterable[str]) -> dict[str, Callable[[Any], Any]]:
    """Getters for what the accelerator's objects keep."""
    readers = {}
    for name in names:
        getter = getattr(CTask, name, None)
        if type(getter) is types.GetSetDescriptorType:
            readers[name] = getter.__get__
    return readers


_C_READERS = _c_readers(
    ["_state", "_loop", "_callbacks", "_exception", "_log_traceback", "_coro", "_fut_waiter", "_must_cancel"]
    + ["_num_cancels_requested", "_source_traceback", "_asyncio_future_blocking"]
)
_C_FUTURE_READERS = {
    name: getattr(CFuture, name).__get__
    for name in _C_READERS
    if type(getattr(CFuture, name, None)) is types.GetSetDescriptorType
}


def read(future: Any, name: str) -> Any:
    """An attribute of a future or task by its name in asyncio; None if it has none."""
    kind = type(future)
    if kind is CTask or kind is CFuture:
        return getattr(future, name, None)
    if is_a(future, CTask):
        reader = _C_READERS.get(name)
        return reader(future) if reader else None
    if is_a(future, CFuture):
        reader = _C_FUTURE_READERS.get(name)
        return reader(future) if reader else None
    return _read_python(future, name)


def _read_python(future: Any, name: str) -> Any:
    """An attribute of a future that is written in Python; some have their first values in the class."""
    own = fields(future)
    if name == "_log_traceback":
        return own.get("_Future__log_traceback", False)
    if name in own:
        return own[name]
    value = namespace(PyTask).get(name, namespace(PyFuture).get(name))
    return value if type(value) in (str, bool, type(None)) else None


def cancels_requested(task: Any) -> int:
    """How often somebody asked a task to end, and was not taken back."""
    if is_a(task, CTask):
        requested = _cancelling(task) if _cancelling else 0
    else:
        requested = fields(task).get("_num_cancels_requested", 0)
    return requested or int(bool(read(task, "_must_cancel")))


_cancelling = getattr(CTask, "cancelling", None)


def shown_name(task: Any) -> str:
    """A task's name on one line: what would break it, or turn it around, is escaped."""
    return _BREAKING.sub(lambda found: found[0].encode("unicode_escape").decode(), name_of(task))


_BREAKING = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def name_of(task: Any) -> str:
    """A task's name."""
    return text(CTask.get_name(task) if is_a(task, CTask) else fields(task).get("_name", ""))


def callbacks(future: Any) -> list[Any]:
    """What is called when a future is done."""
    found = read(future, "_callbacks")
    return [entry[0] for entry in found if type(entry) is tuple] if type(found) is list else []


def bound_to(callback: Any) -> Any:
    """The object whose method a callback is."""
    return callback.__self__ if type(callback) is types.MethodType else None


def function_of(callback: Any) -> Any:
    """The code that a callback runs, where it is a function's or a method's."""
    if type(callback) is types.MethodType:
        callback = callback.__func__
    return callback.__code__ if type(callback) is types.FunctionType else None


def of_cythons(function: Any, name: str) -> str:
    """A text that a function which Cython has made keeps under a name; an empty one of anything else."""
    kept = in_class(function, name) if type_name(function) == _CYTHONS else None
    if type(kept) not in (types.GetSetDescriptorType, types.MemberDescriptorType):
        return ""
    try:
        return text(kept.__get__(function))
    except AttributeError:  # nothing is kept there
        return ""


#: The class of functions that Cython has made; there is one for each module.
_CYTHONS = "cython_function_or_method"


def closed_over(callback: Any) -> dict[str, Any]:
    """The variables of the functions around one that it uses."""
    if type(callback) is not types.FunctionType or callback.__closure__ is None:
        return {}
    found = {}
    for name, cell in zip(callback.__code__.co_freevars, callback.__closure__, strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # nothing was assigned to it yet
            pass
    return found


def nested_code(function: Any, name: str) -> types.CodeType | None:
    """The code of a function that is defined in another one."""
    for constant in function.__code__.co_consts:
        if type(constant) is types.CodeType and constant.co_name == name:
            return constant
    return None


def slots(suspended: Any) -> list[Any]:
    """The values of a suspended coroutine's variables and, behind them, of its stack, in their order.

    Not `f_locals`: up to Python 3.12 that fills a dictionary which stays with the frame, and would keep values alive.
    What the garbage collector is told about (`gen_traverse` and the frame's) comes in the order of the frame's slots,
    after a few strings, functions and codes. Variables without a value are left out.
    """
    if sys.version_info >= (3, 11):
        found = gc.get_referents(suspended)
    else:
        frame = frame_of(suspended)
        found = gc.get_referents(frame) if frame is not None else []
    return [opened(value) if type(value) is types.CellType else value for value in found]


def opened(cell: Any) -> Any:
    """What is in a cell."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def frame_of(suspended: Any) -> types.FrameType | None:
    """The frame of a coroutine, generator or async generator."""
    kind = type(suspended)
    if kind is types.CoroutineType:
        return suspended.cr_frame
    if kind is types.GeneratorType:
        return suspended.gi_frame
    if kind is types.AsyncGeneratorType:
        return suspended.ag_frame
    return None


def first(values: Sequence[Any], cls: type | None) -> Any:
    """The first of some values that is of a class."""
    for value in values:
        if type(value) is cls:
            return value
    for value in values:
        if is_a(value, cls):
            return value
    return None
