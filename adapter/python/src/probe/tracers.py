"""What else looks at a program: other tracers, and other interpreters in its process.

Up to Python 3.11 a thread has one trace function. Whoever sets another one takes the thread from pydevd, for good: frames
keep the trace functions that they began with, so giving the thread back would call those of a tracer that is over.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

from .link import at_end, tell
from .objects import of_cythons, text
from .roster import is_plumbing

_WHY = (
    "up to Python 3.11 a thread has one tracer, so breakpoints and steps do not work in this thread from here on; "
    "Python 3.12 and later can do both"
)


def watch() -> None:
    """Tells of trace functions of the program's own, where they take the place of pydevd's."""
    if sys.version_info >= (3, 12):
        return
    tracing: Any = sys.modules["pydevd_tracing"]
    pydevds, really = sys.settrace, tracing.TracingFunctionHolder._original_tracing
    if really is None:
        return

    def settrace(function: Any, /) -> None:
        really(function)
        if function is not None:
            _tell(function, sys._getframe(1))

    def give_up() -> None:
        if sys.settrace is settrace:
            sys.settrace = pydevds

    sys.settrace = settrace
    at_end.append(give_up)


_told: set[str] = set()


def look() -> None:
    """Tells of a trace function that was set in C, which nobody can notice when it is."""
    if sys.version_info >= (3, 12) or "pydevd" not in sys.modules:
        return
    function = sys.gettrace()
    if function is not None:
        _tell(function, sys._getframe(1))


def _tell(function: Any, frame: types.FrameType | None) -> None:
    # pydevd's for threads that begin is one.
    while type(function) is functools.partial:
        function = function.func
    if type(function) is types.MethodType:
        function = function.__func__
    module = _module_of(function) or "a module of C's"
    thread = threading.current_thread().name
    if module.startswith(("pydevd", "_pydev")) or f"{thread} {module}" in _told:
        return
    _told.add(f"{thread} {module}")
    while frame is not None and is_plumbing(frame.f_code):
        frame = frame.f_back
    event: dict[str, Any] = {"event": "traced", "message": f"{module} traces the thread {thread}; {_WHY}"}
    if frame is not None:
        event["at"] = [frame.f_code.co_name, frame.f_code.co_filename, frame.f_lineno or 0]
    tell(event)


def _module_of(function: Any) -> str:
    """The module in which a trace function was made, or its class."""
    if type(function) in (types.FunctionType, types.BuiltinFunctionType):
        return text(function.__module__)
    try:
        return of_cythons(function, "__module__") or text(_module_of_class(type(function)))
    except AttributeError:  # it was deleted
        return ""


_module_of_class = type.__dict__["__module__"].__get__


# Other interpreters.

#: Interpreters, and threads of one, that are looked at.
_MOST = 100_000
#: Words of a thread's state in which its identifier is looked for.
_WORDS = 64


def _function(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    function = ctypes.pythonapi[name]  # an object of our own: `pythonapi.name` is everybody's
    function.restype, function.argtypes = result, arguments
    return function


_first_interpreter = _function("PyInterpreterState_Head", ctypes.c_void_p)
_next_interpreter = _function("PyInterpreterState_Next", ctypes.c_void_p, ctypes.c_void_p)
_this_interpreter = _function("PyInterpreterState_Get", ctypes.c_void_p)
_first_thread = _function("PyInterpreterState_ThreadHead", ctypes.c_void_p, ctypes.c_void_p)
_next_thread = _function("PyThreadState_Next", ctypes.c_void_p, ctypes.c_void_p)
_this_thread = _function("PyThreadState_Get", ctypes.c_void_p)
_frame_of = _function("PyThreadState_GetFrame", ctypes.py_object, ctypes.c_void_p)


def other_interpreters() -> int:
    """How many interpreters there are besides this one."""
    count, interpreter = 0, _first_interpreter()
    while interpreter and count < _MOST:
        count, interpreter = count + 1, _next_interpreter(interpreter)
    return count - 1


def keep_to_ourselves() -> None:
    """Has `sys._current_frames` look at the threads of this interpreter alone.

    CPython's looks at those of all interpreters, and makes frame objects for them here. From 3.12 on each may have an
    allocator of its own, by which it frees them: the process ends with `free(): invalid pointer`.
    """
    if sys.version_info < (3, 12) or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return
    of_all = sys._current_frames
    place = _place_of_identifier()

    def current_frames() -> dict[int, types.FrameType]:
        return _own_frames(place) if other_interpreters() else of_all()

    for module in list(sys.modules.values()):
        names = [name for name, value in list(getattr(module, "__dict__", {}).items()) if value is of_all]
        for name in names:
            setattr(module, name, current_frames)


def _place_of_identifier() -> int:
    """Where the state of a thread has the thread's identifier."""
    words = (ctypes.c_ulong * _WORDS).from_address(_this_thread())
    return list(words).index(threading.get_ident())


def _own_frames(place: int) -> dict[int, types.FrameType]:
    found: dict[int, types.FrameType] = {}
    thread = _first_thread(_this_interpreter())
    for _ in range(_MOST):
        if not thread:
            break
        ident = (ctypes.c_ulong * _WORDS).from_address(thread)[place]
        try:
            found[ident] = _frame_of(thread)
        except ValueError:  # it executes no Python
            pass
        thread = _next_thread(thread)
    return found
