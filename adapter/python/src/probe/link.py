"""The connection to weft: lines of JSON, answered by a thread that pydevd neither shows nor traces."""

from __future__ import annotations

import json
import os
import queue
import site
import socket
import sys
import sysconfig
import threading
from collections.abc import Callable
from typing import Any

#: Events that wait to be sent; what comes while so many do is counted and left out.
_MOST_EVENTS = 1000

_asks: dict[str, Callable[..., Any]] = {}
#: What is to be given up when weft hangs up.
at_end: list[Callable[[], None]] = []


def answers(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a function the one that answers a question of weft's; what it is asked with are its keyword arguments."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        _asks[name] = function
        return function

    return add


class Link:
    """One connection."""

    def __init__(self, connection: socket.socket, stream: Any) -> None:
        self._connection = connection
        self._stream = stream
        self._events: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._sending = threading.Lock()
        self._dropped = 0
        self.alive = True

    def serve(self) -> None:
        """Answers until weft hangs up."""
        try:
            for line in self._stream:
                asked = json.loads(line)
                self.send(self._answer(asked))
        except (OSError, ValueError):
            pass
        finally:
            self.hang_up()

    def _answer(self, asked: dict[str, Any]) -> bytes:
        number = asked.pop("id", None)
        try:
            said = {"id": number, "answer": _asks[asked.pop("ask")](**asked)}
        except Refused as refused:
            said = {"id": number, "error": str(refused)}
        except BaseException as problem:
            said = {"id": number, "error": f"the probe failed: {type(problem).__name__}", "trace": where(problem)}
        return line_of(said)

    def send(self, line: bytes) -> None:
        """Sends a line."""
        with self._sending:
            self._connection.sendall(line)

    def hang_up(self) -> None:
        """Ends the connection."""
        self.alive = False
        for give_up in at_end:
            give_up()
        self._events.put(None)
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # the other side was first
            pass
        self._connection.close()

    def abandon(self) -> None:
        """Lets go of a connection that is another process's."""
        self.alive = False
        os.close(self._connection.detach())

    def tell(self, event: dict[str, Any]) -> None:
        """Leaves an event for weft, without waiting for anything. Callable from everywhere."""
        if not self.alive or self._events.qsize() >= _MOST_EVENTS:
            self._dropped += 1
            return
        if self._dropped:
            event["dropped"], self._dropped = self._dropped, 0
        self._events.put(line_of(event))

    def forward(self) -> None:
        """Sends the events."""
        while True:
            line = self._events.get()
            if line is None:
                return
            try:
                self.send(line)
            except OSError:
                return


class Refused(Exception):
    """What is asked cannot be done; the text says why, for the user."""


def line_of(said: dict[str, Any]) -> bytes:
    """A line. Halves of surrogate pairs, which strings of Python may have and JSON cannot, become question marks."""
    line = json.dumps(said, check_circular=False, ensure_ascii=False, separators=(",", ":"))
    return line.encode(errors="replace") + b"\n"


def where(problem: BaseException) -> str:
    """The places of the probe's own code that a failure came through."""
    places = []
    trace = problem.__traceback__
    while trace is not None and len(places) < 20:
        places.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " ".join(places)


def thread(name: str, run: Callable[[], None]) -> threading.Thread:
    """A thread of the probe's, which pydevd neither shows nor traces, and which keeps no program from ending."""
    made = threading.Thread(target=run, name="weft." + name, daemon=True)
    made.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
    made.pydev_do_not_trace = True  # type: ignore[attr-defined]
    # What ends it is nothing for the program's user to read.
    made._invoke_excepthook = lambda _: None  # type: ignore[attr-defined]
    made.start()
    return made


_link: Link | None = None


def tell(event: dict[str, Any]) -> None:
    """Leaves an event for weft, if there is one."""
    if _link is not None:
        _link.tell(event)


def open_link(connection: socket.socket, stream: Any, notes: list[str]) -> None:
    """Begins to answer, in place of an earlier connection."""
    global _link
    connection.settimeout(None)
    if _link is not None:
        _link.hang_up()
    else:
        os.register_at_fork(after_in_child=_forked)
    _link = Link(connection, stream)
    _link.send(line_of({**hello(), "notes": notes}))
    thread("answers", _link.serve)
    thread("events", _link.forward)


def _forked() -> None:
    """In a child process: weft talks to its parent, with which it shares the connection."""
    global _link
    if _link is not None:
        _link.abandon()
        _link = None


def hello() -> dict[str, Any]:
    """What weft is to know of the program."""
    packages = site.getsitepackages() if hasattr(site, "getsitepackages") else []
    user = site.getusersitepackages() if hasattr(site, "getusersitepackages") else None
    installed = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *packages, user]
    return {
        "pid": os.getpid(),
        "machine": machine(),
        "python": list(sys.version_info[:3]),
        "implementation": sys.implementation.name,
        "standard": sorted({path for path in map(sysconfig.get_path, ("stdlib", "platstdlib")) if path}),
        "packages": sorted({path for path in installed if path}),
    }


def machine() -> str:
    """Where the process's number means this process: a boot of a kernel, and a space of numbers there."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


@answers("alive")
def alive() -> None:
    """That there is an answer says all."""
