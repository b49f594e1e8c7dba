"""What a task waits for.

asyncio's own functions are recognised by their code objects, so nothing is taken for one because of its name; the
objects they wait for are found among the values in their frames, by class. What is not recognised is a future, and
said to be one.
"""

from __future__ import annotations

import asyncio
import asyncio.base_subprocess
import collections
import concurrent.futures
import functools
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from .chains import code_of
from .objects import (
    callbacks,
    closed_over,
    fields,
    first,
    function_of,
    in_class,
    is_a,
    is_future,
    is_task,
    module_of,
    nested_code,
    read,
    slots,
    text,
    type_name,
)
from .roster import is_asyncio

#: More tasks are not told of one wait.
MOST_TASKS = 10_000

_PENDING = "PENDING"
_Gathering: Any = asyncio.tasks._GatheringFuture
_TimerHandle: Any = asyncio.events.TimerHandle


class Wait:
    """One wait, in the words of the protocol."""

    __slots__ = ("kind", "text", "object", "until", "timed", "fd", "peer", "on", "whole", "via", "free", "cancels")

    def __init__(self, kind: str, text: str, object: Any = None) -> None:
        self.kind = kind
        self.text = text
        #: What several tasks may wait for.
        self.object = object
        #: Milliseconds that are left.
        self.until: int | None = None
        #: It ends in time in any case.
        self.timed = False
        self.fd: int | None = None
        self.peer: str | None = None
        #: The tasks it waits for, and how.
        self.on: list[Any] = []
        #: It waits for nothing but these.
        self.whole = False
        self.via = "await"
        #: For a semaphore that knows how many permits there are: how many are taken.
        self.free: int | None = None
        #: When its time is over, it cancels what it waits for.
        self.cancels = False

    def ends_with(self, timer: Any, loop: Any) -> Wait:
        """Adds the timer that ends it."""
        if timer is not None:
            self.timed = True
            self.until = remaining(timer, loop)
        return self

    def limited(self, left: list[int | None]) -> None:
        """Adds the time limits around it, by what is left of each."""
        self.timed = self.timed or bool(left)
        known = [milliseconds for milliseconds in left if milliseconds is not None]
        if known and self.kind != "sleep":
            self.until = min(known) if self.until is None else min(self.until, *known)


def remaining(timer: Any, loop: Any) -> int | None:
    """Milliseconds until a timer fires, where its loop's clock is known: asyncio's, and uvloop's."""
    if is_a(timer, _TimerHandle) and is_asyncio(loop):
        own_clock = in_class(loop, "time") is asyncio.base_events.BaseEventLoop.time
        return until(_when(timer)) if own_clock else None
    if module_of(timer) == "uvloop" and module_of(loop) == "uvloop":
        return max(0, int((timer.when() - loop.time()) * 1000))
    return None


_when: Any = _TimerHandle._when.__get__


def until(when: Any) -> int | None:
    """Milliseconds until a time of asyncio's own clock."""
    if type(when) not in (float, int):
        return None
    left = (when - time.monotonic()) * 1000
    return max(0, int(left)) if -1e15 < left < 1e15 else None


def tasks_behind(future: Any, depth: int = 0) -> Iterator[Any]:
    """The tasks that have to end before a future does, through gathers and shields."""
    if depth > 8:
        return
    if is_task(future):
        if read(future, "_state") == _PENDING:
            yield future
    elif type(future) is _Gathering:
        for child in _children(future):
            yield from tasks_behind(child, depth + 1)
    elif is_future(future):
        inner = _shielded(future)
        if inner is not None:
            yield from tasks_behind(inner, depth + 1)


def _children(gathering: Any) -> list[Any]:
    children = gathering._children
    return children if type(children) is list else []


_SHIELD_OUTER = nested_code(asyncio.tasks.shield, "_outer_done_callback")
_CHAINED = nested_code(asyncio.futures._chain_future, "_call_check_cancel")


def _shielded(future: Any) -> Any:
    for callback in callbacks(future):
        if function_of(callback) is _SHIELD_OUTER:
            return closed_over(callback).get("inner")
    return None


def _for_several(wait: Wait, futures: Any, via: str) -> Wait:
    """Adds the tasks behind the members of a list or set."""
    wait.via, wait.whole = via, True
    for future in list(futures)[:MOST_TASKS]:
        if is_future(future) and read(future, "_state") == _PENDING:
            found = list(tasks_behind(future))
            wait.whole = wait.whole and is_task(future)
            wait.on.extend(found)
    wait.whole = wait.whole and len(wait.on) <= MOST_TASKS >= len(futures)
    del wait.on[MOST_TASKS:]
    return wait


def _left(count: int) -> str:
    return f"{count} left"


# By what the future is that the task waits for.


def by_future(waiter: Any) -> Wait | None:
    """A wait that its future tells."""
    if is_task(waiter):
        wait = Wait("join", "a task")
        wait.on = [waiter]
        return wait
    if type(waiter) is _Gathering:
        children = _children(waiter)
        left = sum(1 for child in children if is_future(child) and read(child, "_state") == _PENDING)
        return _for_several(Wait("group", f"gather of {len(children)}, {_left(left)}"), children, "gather")
    for callback in callbacks(waiter):
        code = function_of(callback)
        if code is _SHIELD_OUTER:
            wait = Wait("join", "shield")
            wait.on, wait.via = list(tasks_behind(closed_over(callback).get("inner")))[:MOST_TASKS], "shield"
            return wait
        if code is _CHAINED:
            job = closed_over(callback).get("source")
            if is_a(job, concurrent.futures.Future):
                return Wait("blocking-job", f"a job of an executor, {_job_state(job)}")
    return None


def _job_state(job: Any) -> str:
    state = fields(job).get("_state")
    return {"PENDING": "not begun", "RUNNING": "running"}.get(state, "over") if type(state) is str else "unknown"


# By which function of asyncio awaits it. Each is given the future, the values in the function's frame, and the task's
# loop.

Recogniser = Callable[[Any, list, Any], "Wait | None"]


def _sleep(_: Any, values: list, loop: Any) -> Wait:
    return Wait("sleep", "sleep").ends_with(_timer(values), loop)


def _timer(values: list) -> Any:
    for value in values:
        if is_a(value, _TimerHandle) or (module_of(value) == "uvloop" and type_name(value) == "TimerHandle"):
            return value
    return None


def _mutex(_: Any, values: list, loop: Any) -> Wait | None:
    lock = first(values, asyncio.Lock)
    return lock and Wait("mutex", "Lock.acquire", lock)


def _semaphore(_: Any, values: list, loop: Any) -> Wait | None:
    semaphore = first(values, asyncio.Semaphore)
    if semaphore is None:
        return None
    own = fields(semaphore)
    wait = Wait("semaphore", f"{type_name(semaphore)}.acquire, {_number(own.get('_value'))} free", semaphore)
    bound = own.get("_bound_value")
    if is_a(semaphore, asyncio.BoundedSemaphore) and type(bound) is int and own.get("_value") == 0:
        wait.free = bound
    return wait


def _number(value: Any) -> str:
    return str(value) if type(value) is int and abs(value) < 10**18 else "?"


def _event(_: Any, values: list, loop: Any) -> Wait | None:
    event = first(values, asyncio.Event)
    return event and Wait("notify", "Event.wait", event)


def _condition(_: Any, values: list, loop: Any) -> Wait | None:
    condition = first(values, asyncio.Condition)
    return condition and Wait("notify", "Condition.wait", condition)


def _queue(verb: str) -> Recogniser:
    def recognise(_: Any, values: list, loop: Any) -> Wait | None:
        queue = first(values, asyncio.Queue)
        if queue is None:
            return None
        own = fields(queue)
        return Wait("channel", f"{type_name(queue)}.{verb}, {_fill(own, verb)}", queue)

    return recognise


def _fill(own: dict[str, Any], verb: str) -> str:
    """How full a queue is; what it keeps its items in may be of the user's making."""
    if verb == "join":
        return f"{_number(own.get('_unfinished_tasks'))} unfinished"
    items, most = own.get("_queue"), own.get("_maxsize")
    count = str(len(items)) if type(items) in _PLAIN else "?"
    return f"{count} of {_number(most)}" if type(most) is int and most > 0 else f"{count} in it"


_PLAIN = (list, collections.deque)


def _barrier(_: Any, values: list, loop: Any) -> Wait | None:
    barrier = first(values, asyncio.Barrier)
    if barrier is None:
        return None
    own = fields(barrier)
    return Wait("barrier", f"Barrier.wait, {_number(own.get('_count'))} of {_number(own.get('_parties'))}", barrier)


def _task_group(_: Any, values: list, loop: Any) -> Wait | None:
    group = first(values, asyncio.TaskGroup)
    if group is None:
        return None
    tasks = fields(group).get("_tasks")
    tasks = list(tasks) if type(tasks) is set else []
    return _for_several(Wait("group", f"TaskGroup, {_left(len(tasks))}", group), tasks, "taskgroup")


def _wait(_: Any, values: list, loop: Any) -> Wait:
    futures = next((value for value in values if type(value) in (set, frozenset, list, tuple)), ())
    left = sum(1 for future in futures if is_future(future) and read(future, "_state") == _PENDING)
    everything = asyncio.ALL_COMPLETED in [value for value in values if type(value) is str]
    kind = "group" if everything else "select"
    wait = Wait(kind, f"wait for {'all' if everything else 'the first'} of {len(futures)}, {_left(left)}")
    return _for_several(wait, futures, "wait").ends_with(_timer(values), loop)


def _wait_for(_: Any, values: list, loop: Any) -> Wait | None:
    """Up to Python 3.11 it waits for another future, which its timer and the awaited one end."""
    awaited = next(filter(is_future, values), None)
    wait = Wait("join", "wait_for")
    wait.on = list(tasks_behind(awaited))[:MOST_TASKS]
    wait.ends_with(_timer(values), loop)
    wait.cancels = wait.timed
    return wait


def _cancel_and_wait(_: Any, values: list, loop: Any) -> Wait:
    wait = Wait("join", "the end of what was cancelled")
    wait.on = list(tasks_behind(next(filter(is_future, values), None)))[:MOST_TASKS]
    return wait


def _as_completed(_: Any, values: list, loop: Any) -> Wait | None:
    """Its tasks: a set in the closure, from 3.13 on in an object."""
    iterator = first(values, getattr(asyncio.tasks, "_AsCompletedIterator", None))
    todo = fields(iterator).get("_todo") if iterator is not None else first(values, set)
    todo = list(todo) if type(todo) is set else []
    wait = Wait("select", f"as_completed, {_left(len(todo))}" if todo else "as_completed")
    return _for_several(wait, todo, "wait")


def _process(_: Any, values: list, loop: Any) -> Wait | None:
    transport = first(values, asyncio.base_subprocess.BaseSubprocessTransport)
    pid = fields(transport).get("_pid") if transport is not None else None
    return Wait("process", f"process {_number(pid)}")


def _read_stream(_: Any, values: list, loop: Any) -> Wait | None:
    reader = first(values, asyncio.StreamReader)
    if reader is None:
        return None
    operation = next((value for value in values if type(value) is str and value.startswith("read")), "read")
    return _on_transport(text(operation), fields(reader).get("_transport"))


def _drain_stream(_: Any, values: list, loop: Any) -> Wait | None:
    protocol = first(values, asyncio.StreamReaderProtocol)
    return _on_transport("drain", fields(protocol).get("_transport") if protocol is not None else None)


def _close_stream(_: Any, values: list, loop: Any) -> Wait | None:
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
    def recognise(_: Any, values: list, loop: Any) -> Wait:
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
    def recognise(_: Any, values: list, loop: Any) -> Wait:
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


def _thread_job(waiter: Any, values: list, loop: Any) -> Wait | None:
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


def wait_of(links: list[Any], waiter: Any, loop: Any) -> Wait:
    """What a suspended task waits for. `waiter` is the future that wakes it up."""
    recogniser = _RECOGNISERS.get(id(code_of(links[-1]))) if links else None
    if recogniser is not None and not is_task(waiter) and type(waiter) is not _Gathering:
        found = recogniser(waiter, slots(links[-1]), loop)
        if found is not None:
            return _outer(links, waiter, loop) or found if found.kind in ("notify", "channel") else found
    found = by_future(waiter)
    if found is not None:
        return found
    created_by = module_of(waiter)
    return Wait("future", "a future" if created_by in ("_asyncio", "asyncio") else f"a {type_name(waiter)}", waiter)


def _outer(links: list[Any], waiter: Any, loop: Any) -> Wait | None:
    """The function of asyncio around the innermost one that says more of the wait."""
    for link in links[-4:-1]:
        recogniser = _OUTER.get(id(code_of(link)))
        if recogniser is not None:
            return recogniser(waiter, slots(link), loop)
    return None
