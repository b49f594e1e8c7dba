"""What a task waits for, by the function of asyncio that waits.

These are recognised by their code objects, so nothing is taken for one because of its name; the objects they wait for
are found among the values in their frames, by class. What is not recognised is a future, and said to be one.
"""

from __future__ import annotations

import asyncio
import asyncio.base_subprocess
import collections
import functools
import socket
import sys
import types
from collections.abc import Callable
from typing import Any

from .objects import (
    fields,
    first,
    function_of,
    is_a,
    is_future,
    is_task,
    module_of,
    nested_code,
    slots,
    text,
    type_name,
)
from .waits import (
    MOST_TASKS,
    Clock,
    Gathering,
    TimerHandle,
    Wait,
    by_future,
    for_several,
    left_text,
    pending_of,
    tasks_behind,
)

#: Each is given the future, the values in the function's frame, and the clock of the task's loop.
Recogniser = Callable[[Any, list, "Clock"], "Wait | None"]


class Of:
    """Recognises waits of which an object of asyncio's, found by its class, says everything."""

    def __init__(self, cls: type | None, told: Callable[[Any], Wait]) -> None:
        self.cls = cls
        self._told = told

    def __call__(self, waiter: Any, values: list, clock: Clock) -> Wait | None:
        found = first(values, self.cls)
        return self._told(found) if found is not None else None


def _sleep(_: Any, values: list, clock: Clock) -> Wait:
    return Wait("sleep", "sleep").ends_with(_timer(values), clock)


def _timer(values: list) -> Any:
    for value in values:
        if type(value) is TimerHandle:
            return value
    for value in values:
        if is_a(value, TimerHandle) or (module_of(value) == "uvloop" and type_name(value) == "TimerHandle"):
            return value
    return None


_mutex = Of(asyncio.Lock, lambda lock: Wait("mutex", "Lock.acquire", lock))
_event = Of(asyncio.Event, lambda event: Wait("notify", "Event.wait", event))
_condition = Of(asyncio.Condition, lambda condition: Wait("notify", "Condition.wait", condition))


def _told_semaphore(semaphore: Any) -> Wait:
    own = fields(semaphore)
    wait = Wait("semaphore", f"{type_name(semaphore)}.acquire, {_number(own.get('_value'))} free", semaphore)
    bound = own.get("_bound_value")
    if is_a(semaphore, asyncio.BoundedSemaphore) and type(bound) is int and own.get("_value") == 0:
        wait.free = bound
    return wait


_semaphore = Of(asyncio.Semaphore, _told_semaphore)


def _number(value: Any) -> str:
    return str(value) if type(value) is int and abs(value) < 10**18 else "?"


def _queue(verb: str) -> Recogniser:
    return Of(
        asyncio.Queue,
        lambda queue: Wait("channel", f"{type_name(queue)}.{verb}, {_fill(fields(queue), verb)}", queue),
    )


def _fill(own: dict[str, Any], verb: str) -> str:
    """How full a queue is; what it keeps its items in may be of the user's making."""
    if verb == "join":
        return f"{_number(own.get('_unfinished_tasks'))} unfinished"
    items, most = own.get("_queue"), own.get("_maxsize")
    count = str(len(items)) if type(items) in _PLAIN else "?"
    return f"{count} of {_number(most)}" if type(most) is int and most > 0 else f"{count} in it"


_PLAIN = (list, collections.deque)


def _told_barrier(barrier: Any) -> Wait:
    own = fields(barrier)
    return Wait("barrier", f"Barrier.wait, {_number(own.get('_count'))} of {_number(own.get('_parties'))}", barrier)


_barrier = Of(getattr(asyncio, "Barrier", None), _told_barrier)


def _told_group(group: Any) -> Wait:
    tasks = fields(group).get("_tasks")
    tasks = list(tasks) if type(tasks) is set else []
    return for_several(Wait("group", f"TaskGroup, {left_text(len(tasks))}", group), tasks, "taskgroup")


_task_group = Of(getattr(asyncio, "TaskGroup", None), _told_group)


def _wait(_: Any, values: list, clock: Clock) -> Wait:
    futures = next((value for value in values if type(value) in (set, frozenset, list, tuple)), ())
    left = pending_of(futures)
    everything = asyncio.ALL_COMPLETED in [value for value in values if type(value) is str]
    kind = "group" if everything else "select"
    wait = Wait(kind, f"wait for {'all' if everything else 'the first'} of {len(futures)}, {left_text(left)}")
    return for_several(wait, futures, "wait").ends_with(_timer(values), clock)


def _wait_for(_: Any, values: list, clock: Clock) -> Wait | None:
    """Up to Python 3.11 it waits for another future, which its timer and the awaited one end."""
    awaited = next(filter(is_future, values), None)
    wait = Wait("join", "wait_for")
    wait.on = list(tasks_behind(awaited))[:MOST_TASKS]
    wait.ends_with(_timer(values), clock)
    wait.cancels = wait.timed
    return wait


def _cancel_and_wait(_: Any, values: list, clock: Clock) -> Wait:
    wait = Wait("join", "the end of what was cancelled")
    wait.on = list(tasks_behind(next(filter(is_future, values), None)))[:MOST_TASKS]
    return wait


def _as_completed(_: Any, values: list, clock: Clock) -> Wait | None:
    """Its tasks: a set in the closure, from 3.13 on in an object."""
    iterator = first(values, getattr(asyncio.tasks, "_AsCompletedIterator", None))
    todo = fields(iterator).get("_todo") if iterator is not None else first(values, set)
    todo = list(todo) if type(todo) is set else []
    wait = Wait("select", f"as_completed, {left_text(len(todo))}" if todo else "as_completed")
    return for_several(wait, todo, "wait")


def _process(_: Any, values: list, clock: Clock) -> Wait | None:
    transport = first(values, asyncio.base_subprocess.BaseSubprocessTransport)
    pid = fields(transport).get("_pid") if transport is not None else None
    return Wait("process", f"process {_number(pid)}")


def _read_stream(_: Any, values: list, clock: Clock) -> Wait | None:
    reader = first(values, asyncio.StreamReader)
    if reader is None:
        return None
    operation = next((value for value in values if type(value) is str and value.startswith("read")), "read")
    return _on_transport(text(operation), fields(reader).get("_transport"))


def _drain_stream(_: Any, values: list, clock: Clock) -> Wait | None:
    protocol = first(values, asyncio.StreamReaderProtocol)
    return _on_transport("drain", fields(protocol).get("_transport") if protocol is not None else None)


def _close_stream(_: Any, values: list, clock: Clock) -> Wait | None:
    writer = first(values, asyncio.StreamWriter)
    return _on_transport("close", fields(writer).get("_transport") if writer is not None else None)


def _on_transport(operation: str, transport: Any) -> Wait:
    wait = Wait("io", operation)
    if transport is None:
        return wait
    if module_of(transport) == "uvloop":
        peer, pipe = transport.get_extra_info("peername"), None
        its_socket = transport.get_extra_info("socket")
        wait.fd = its_socket.fileno() if its_socket is not None else None
    elif module_of(transport) == "asyncio":
        own, extra = fields(transport), _extra(transport)
        peer, pipe = extra.get("peername"), extra.get("pipe")
        fd = own.get("_sock_fd", own.get("_fileno"))
        wait.fd = fd if type(fd) is int else None
    else:
        return wait
    wait.peer = address(peer)
    if wait.peer:
        wait.text = f"{operation} {'to' if operation == 'drain' else 'from'} {wait.peer}"
    elif pipe is not None:
        wait.text = f"{operation} of a pipe"
    return wait


def _extra(transport: Any) -> dict[str, Any]:
    """What an asyncio transport knows of its connection."""
    known = is_a(transport, asyncio.BaseTransport)
    extra = asyncio.BaseTransport._extra.__get__(transport) if known else None  # type: ignore[attr-defined]
    return extra if type(extra) is dict else {}


def address(peer: Any) -> str | None:
    """A socket's address as users write it."""
    if type(peer) is tuple and len(peer) >= 2 and type(peer[0]) is str and type(peer[1]) is int:
        return f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"
    if type(peer) is str and peer:
        return text(peer)
    return None


def _socket(operation: str) -> Recogniser:
    def recognise(_: Any, values: list, clock: Clock) -> Wait:
        wait = Wait("io", operation)
        its_socket = first(values, _Socket)
        if its_socket is not None:
            wait.fd = _Socket.fileno(its_socket)
            try:
                wait.peer = address(_Socket.getpeername(its_socket))
            except OSError:  # not connected
                pass
        if wait.peer:
            wait.text = f"{operation} {wait.peer}"
        return wait

    return recognise


_Socket: Any = socket.socket.__mro__[1]


def _server(operation: str) -> Recogniser:
    def recognise(_: Any, values: list, clock: Clock) -> Wait:
        wait = Wait("io", operation)
        server = first(values, asyncio.base_events.Server)
        sockets = fields(server).get("_sockets") if server is not None else None
        listening = first(sockets, _Socket) if type(sockets) is list else None
        if listening is not None:
            wait.fd = _Socket.fileno(listening)
            try:
                wait.text = f"{operation} on {address(_Socket.getsockname(listening)) or 'a socket'}"
            except OSError:
                pass
        return wait

    return recognise


def _thread_job(waiter: Any, values: list, clock: Clock) -> Wait | None:
    wait, called = by_future(waiter), first(values, functools.partial)
    if wait is not None and called is not None:
        wait.text = wait.text.replace("a job of an executor", f"to_thread({_called(called)})")
    return wait


def _called(partial: Any) -> str:
    """What `to_thread` runs: `partial(context.run, function, …)`."""
    arguments = functools.partial.args.__get__(partial)  # type: ignore[attr-defined]
    function = arguments[0] if arguments else None
    code = function_of(function)
    return text(code.co_name) if code is not None else text(getattr(type(function), "__name__", "")) or "…"


_RECOGNISERS: dict[int, Recogniser] = {}


def _add(recogniser: Recogniser, *path: Any) -> None:
    """Adds a recogniser for a function that some versions of asyncio have."""
    at = path[0]
    for name in path[1:]:
        at = getattr(at, name, None)
    code = function_of(at)
    if code is not None:
        _RECOGNISERS[id(code)] = recogniser


def _fill_table() -> None:
    tasks, locks, queues, streams = asyncio.tasks, asyncio.locks, asyncio.queues, asyncio.streams
    _add(_sleep, tasks, "sleep")
    _add(_wait, tasks, "_wait")
    if sys.version_info < (3, 12):
        _add(_wait_for, tasks, "wait_for")
    _add(_cancel_and_wait, tasks, "_cancel_and_wait")
    _add(_mutex, locks, "Lock", "acquire")
    _add(_semaphore, locks, "Semaphore", "acquire")
    _add(_event, locks, "Event", "wait")
    _add(_condition, locks, "Condition", "wait")
    for verb in ("get", "put"):
        _add(_queue(verb), queues, "Queue", verb)
    _add(_task_group, asyncio, "TaskGroup", "__aexit__")
    _add(_task_group, asyncio, "TaskGroup", "_aexit")
    _add(_read_stream, streams, "StreamReader", "_wait_for_data")
    _add(_drain_stream, streams, "FlowControlMixin", "_drain_helper")
    _add(_close_stream, streams, "StreamWriter", "wait_closed")
    _add(_process, asyncio.base_subprocess, "BaseSubprocessTransport", "_wait")
    _add(_thread_job, asyncio, "to_thread")
    for operation in ("serve_forever", "wait_closed"):
        _add(_server(operation), asyncio.base_events, "Server", operation)
    for operation in ("recv", "recv_into", "recvfrom", "recvfrom_into", "sendall", "sendto", "connect", "accept"):
        _add(_socket(operation), asyncio, "selector_events", "BaseSelectorEventLoop", "sock_" + operation)


_fill_table()
#: Functions that wait by way of another one of asyncio's, and say more than that; the third is a nested one up to 3.12.
_OUTER: dict[int, Recogniser] = {
    id(code): recogniser
    for code, recogniser in (
        (function_of(asyncio.Queue.join), _queue("join")),
        (function_of(getattr(getattr(asyncio, "Barrier", None), "wait", None)), _barrier),
        (nested_code(asyncio.tasks.as_completed, "_wait_for_one"), _as_completed),
        (
            function_of(getattr(getattr(asyncio.tasks, "_AsCompletedIterator", None), "_wait_for_one", None)),
            _as_completed,
        ),
    )
    if code is not None
}


class Waits:
    """How coroutines in certain places wait."""

    def __init__(self, codes: list[types.CodeType | None]) -> None:
        self._recogniser = _RECOGNISERS.get(id(codes[-1])) if codes else None
        #: That of the function of asyncio around the innermost one that says more, and which it is, from the end.
        self._outer: tuple[int, Recogniser] | None = None
        for at in range(-4, -1):
            if len(codes) + at >= 0 and id(codes[at]) in _OUTER:
                self._outer = self._outer or (at, _OUTER[id(codes[at])])
        #: The class of the object that says everything, where there is one.
        told = self._recogniser if self._outer is None else None
        self.object = told.cls if type(told) is Of else None

    def wait(self, links: list[Any], waiter: Any, clock: Clock) -> Wait:
        """What a suspended task waits for. `waiter` is the future that wakes it up."""
        recogniser = self._recogniser
        if recogniser is not None and not is_task(waiter) and type(waiter) is not Gathering:
            found = recogniser(waiter, slots(links[-1]), clock)
            if found is not None:
                return self._around(links, waiter, clock) or found if found.kind in _INNER else found
        found = by_future(waiter)
        if found is not None:
            return found
        created_by = module_of(waiter)
        said = "a future" if created_by in ("_asyncio", "asyncio") else f"a {type_name(waiter)}"
        return Wait("future", said, waiter)

    def _around(self, links: list[Any], waiter: Any, clock: Clock) -> Wait | None:
        if self._outer is None:
            return None
        at, recogniser = self._outer
        return recogniser(waiter, slots(links[at]), clock)


#: Kinds of waits that may be part of another one.
_INNER = ("notify", "channel")
