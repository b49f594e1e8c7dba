"""Every kind of wait, each in a task that is named by it. Prints `ready` when all are in their places; ends when its input does."""

import asyncio
import contextlib
import functools
import socket
import sys
import threading
import types

tasks = []
release = threading.Event()


def spawn(coroutine, name):
    task = asyncio.create_task(coroutine, name=name)  # BP: spawn
    tasks.append(task)
    return task


async def forever():
    await asyncio.Event().wait()  # BP: forever


async def sleeps():
    await asyncio.sleep(1000)  # BP: sleep


async def locks(lock):
    async with lock:  # BP: lock
        pass


async def has(lock):
    async with lock:
        await forever()  # BP: has


async def acquires(semaphore):
    await semaphore.acquire()  # BP: acquire


async def listens(event):
    await event.wait()  # BP: event


async def conditional(condition):
    async with condition:
        await condition.wait()  # BP: condition


async def predicate(condition):
    async with condition:
        await condition.wait_for(lambda: False)


async def gets(queue):
    await queue.get()  # BP: get


async def puts(queue):
    await queue.put(2)  # BP: put


async def joins(queue):
    await queue.join()  # BP: join


async def awaits(task):
    await task  # BP: task


async def gathers(*members):
    await asyncio.gather(*members)  # BP: gather


async def groups():
    async with asyncio.TaskGroup() as group:
        group.create_task(forever(), name="member")
    # The group is awaited where its block begins or ends, by the version.


async def waits(members, how):
    await asyncio.wait(members, return_when=how)  # BP: wait


async def completes(members):
    for first in asyncio.as_completed(members):
        await first  # BP: as_completed


async def limits():
    await asyncio.wait_for(forever(), 1000)  # BP: wait_for


async def shields(task):
    await asyncio.shield(task)  # BP: shield


async def bare():
    await asyncio.get_running_loop().create_future()  # BP: future


started = []


def blocks():
    started.append(True)
    release.wait()


async def threads():
    await asyncio.to_thread(blocks)  # BP: to_thread


async def executes():
    await asyncio.get_running_loop().run_in_executor(None, functools.partial(blocks))  # BP: executor


async def barriers(barrier):
    await barrier.wait()  # BP: barrier


async def receives(raw):
    await asyncio.get_running_loop().sock_recv(raw, 1)  # BP: sock_recv


async def accepts(raw):
    await asyncio.get_running_loop().sock_accept(raw)  # BP: sock_accept


async def reads(reader):
    await reader.readline()  # BP: readline


async def child():
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import sys; sys.stdin.read()", stdin=asyncio.subprocess.PIPE)
    tasks.append(process)
    await process.wait()  # BP: process


@types.coroutine
def old():
    yield from asyncio.sleep(1000).__await__()  # BP: old


async def generations():
    await old()  # BP: generations


async def numbers():
    await forever()  # BP: numbers
    yield 1


async def loops():
    async for _ in numbers():  # BP: loops
        pass


async def steps():
    await anext(numbers(), None)  # BP: anext


@contextlib.asynccontextmanager
async def inside(lock):
    async with lock:
        yield


async def managed(lock):
    async with inside(lock):
        await forever()  # BP: managed


async def enters():
    async with held():  # BP: enters
        pass


@contextlib.asynccontextmanager
async def held():
    await forever()  # BP: held
    yield


async def stacked(lock):
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(lock)
        await forever()  # BP: stacked


class Awaitable:
    def __await__(self):
        return forever().__await__()


async def objects():
    await Awaitable()  # BP: awaitable


async def fails():
    raise ValueError("on purpose")  # BP: fails


async def ends():
    return 1


async def stubborn():
    try:
        await forever()
    except asyncio.CancelledError:
        await forever()  # BP: stubborn


async def holds(raw_lock):
    with raw_lock:
        await forever()  # BP: blocking


def sockets():
    listening = socket.create_server(("127.0.0.1", 0))
    near = socket.create_connection(listening.getsockname())
    far, _ = listening.accept()
    for one in (listening, near, far):
        one.setblocking(False)
    tasks.extend((listening, near, far))
    return listening, near


async def main():
    lock, managed_lock, stacked_lock = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()
    spawn(has(lock), "has")
    spawn(managed(managed_lock), "managed")
    spawn(stacked(stacked_lock), "stacked")
    spawn(holds(threading.Lock()), "blocking")
    await asyncio.sleep(0)
    for name, of in (("lock", lock), ("lock-managed", managed_lock), ("lock-stacked", stacked_lock)):
        spawn(locks(of), name)
    spawn(sleeps(), "sleep")
    spawn(acquires(asyncio.Semaphore(0)), "semaphore")
    spawn(listens(asyncio.Event()), "event")
    shared = asyncio.Event()
    spawn(listens(shared), "event-shared-1")
    spawn(listens(shared), "event-shared-2")
    spawn(conditional(asyncio.Condition()), "condition")
    spawn(predicate(asyncio.Condition()), "wait-for-condition")
    spawn(gets(asyncio.Queue()), "get")
    full = asyncio.Queue(1)
    full.put_nowait(1)
    spawn(puts(full), "put")
    spawn(joins(full), "join")
    idle = spawn(forever(), "idle")
    spawn(awaits(idle), "task")
    members = [spawn(forever(), f"gathered-{number}") for number in (1, 2)]
    spawn(gathers(*members), "gather")
    waited = [spawn(forever(), f"waited-{number}") for number in (1, 2)]
    spawn(waits(waited, asyncio.ALL_COMPLETED), "wait-all")
    spawn(waits(waited, asyncio.FIRST_COMPLETED), "wait-first")
    spawn(completes(waited), "as-completed")
    spawn(limits(), "wait-for")
    shielded = spawn(forever(), "shielded")
    spawn(shields(shielded), "shield")
    spawn(bare(), "future")
    spawn(threads(), "to-thread")
    spawn(executes(), "executor")
    if sys.version_info >= (3, 11):
        spawn(groups(), "group")
        spawn(barriers(asyncio.Barrier(3)), "barrier")
    listening, near = sockets()
    spawn(receives(near), "sock-recv")
    spawn(accepts(listening), "sock-accept")
    server = await asyncio.start_server(lambda reader, writer: tasks.append(writer), "127.0.0.1", 0)
    tasks.append(server)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    tasks.append(writer)
    spawn(reads(reader), "readline")
    spawn(server.serve_forever(), "serve")
    spawn(child(), "process")
    spawn(generations(), "generations")
    spawn(loops(), "loops")
    spawn(steps(), "anext")
    spawn(enters(), "enters")
    spawn(objects(), "awaitable")
    spawn(fails(), "failed")
    spawn(ends(), "done")
    spawn(forever(), "cancelled").cancel()
    stubborn_one = spawn(stubborn(), "stubborn")
    await asyncio.sleep(0)
    stubborn_one.cancel()
    while not (processes := [one for one in tasks if type(one).__name__ == "Process"]) or len(started) < 2:
        await asyncio.sleep(0.01)
    for _ in range(5):
        await asyncio.sleep(0)
    spawn(forever(), "created")
    # On one line: whoever has read that looks at once.
    print("ready", flush=True) or sys.stdin.readline()  # BP: running
    release.set()
    processes[0].kill()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    finally:
        release.set()
