"""pydevd, and threads and the frames on them by the numbers that the system and pydevd have given them."""

from __future__ import annotations

import os
import threading
import types
from typing import Any

from .link import Refused, answers
from .objects import text


def debugger() -> Any:
    """pydevd's debugger."""
    from _pydevd_bundle.pydevd_constants import get_global_debugger

    return get_global_debugger()


def numbered(number: int) -> Any:
    """What pydevd has given a number."""
    from _pydevd_bundle._debug_adapter.pydevd_base_schema import BaseSchema

    return BaseSchema._translate_id_from_dap(number)


def thread_numbered(native: int) -> Any:
    """The thread of the system's number; the main thread has the process's."""
    if native == os.getpid():
        return threading.main_thread()
    return next((thread for thread in threading.enumerate() if thread.native_id == native), None)


def frame(number: int) -> types.FrameType:
    """The frame of a number."""
    found = _find(number)
    if found is None:
        raise Refused("the program went on meanwhile")
    return found


def _find(number: int) -> types.FrameType | None:
    pydevd = debugger()
    reference = numbered(number)
    thread = pydevd.suspended_frames_manager.get_thread_id_for_variable_reference(reference)
    found = pydevd.find_frame(thread, reference) if thread is not None else None
    return found if type(found) is types.FrameType else None


@answers("frame-names")
def frame_names(frames: list[int]) -> list[list[str]]:
    """What the functions of frames are called: as pydevd says it, and as in suspended frames, with their classes."""
    codes = [found.f_code if found is not None else None for found in map(_find, frames)]
    return [
        [code.co_name, text(getattr(code, "co_qualname", code.co_name))] if code is not None else ["", ""]
        for code in codes
    ]
