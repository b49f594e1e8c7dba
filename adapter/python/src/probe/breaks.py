"""`breakpoint()` and `pdb.set_trace()`: the program stops there, in the editor, instead of reading its input."""

from __future__ import annotations

import importlib.machinery
import os
import sys
import threading
from typing import Any

from .physical import debugger


def watch() -> None:
    """Takes the place of both; of `pdb` when it is imported."""
    if "pydevd" not in sys.modules:
        return
    sys.breakpointhook = _breakpoint
    if "pdb" in sys.modules:
        _take_over(sys.modules["pdb"])
    else:
        sys.meta_path.insert(0, _Finder())


def _breakpoint(*_: Any, **__: Any) -> None:
    if os.environ.get("PYTHONBREAKPOINT") != "0":
        _stop(sys._getframe(1))


def _set_trace(*_: Any, header: str | None = None, **__: Any) -> None:
    if header is not None:
        print(header)
    _stop(sys._getframe(1))


def _stop(frame: Any) -> None:
    """Has pydevd stop in a frame of this thread, where that is."""
    from _pydevd_bundle.pydevd_comm_constants import CMD_SET_BREAK

    pydevd = debugger()
    if pydevd is None or pydevd.pydb_disposed:
        return  # nobody debugs it any more
    thread = threading.current_thread()
    pydevd.set_suspend(thread, CMD_SET_BREAK)
    pydevd.do_wait_suspend(thread, frame, "line", None)


def _take_over(pdb: Any) -> None:
    pdb.set_trace = _set_trace


class _Finder:
    """Is asked for a module before all others; knows one."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The module `pdb` as it is, but for its function."""
        if name != "pdb":
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        loader: Any = spec.loader if spec is not None else None
        execute = getattr(loader, "exec_module", None)
        if execute is not None:

            def exec_module(module: Any) -> None:
                execute(module)
                _take_over(module)

            loader.exec_module = exec_module
        return spec
