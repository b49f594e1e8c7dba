"""Chains of coroutines of every shape, on several threads. Prints `ready` when all are in their places; ends when its input does.

Arguments: `uvloop` runs all loops by uvloop, `names` gives tasks names that are not ASCII.
"""

import asyncio
import os
import sys
import threading
import types

kept = []


async def leaf(event):
    await event.wait()  # BP: leaf


async def middle(event):
    await leaf(event)  # BP: middle


async def top(event):
    await middle(event)  # BP: top


async def recursive(event, depth):
    if depth:
        await recursive(event, depth - 1)
    else:
        await event.wait()


async def numbers(event):
    yield 1
    await leaf(event)  # BP: numbers
    yield 2


async def loops_over(event):
    async for _ in numbers(event):  # BP: loops over
        pass


async def asks_next(event):
    source = numbers(event)
    await anext(source)
    await anext(source, None)


async def throws(event):
    source = numbers(event)
    await anext(source)
    await source.aclose()
    source = cleans_up(event)
    await anext(source)
    await source.athrow(ValueError)


async def cleans_up(event):
    try:
        yield 1
    finally:
        await leaf(event)  # BP: cleans up


async def comprehends(event):
    return [number async for number in numbers(event)]


class Entered:
    def __init__(self, event):
        self.event = event

    async def __aenter__(self):
        await leaf(self.event)  # BP: enters

    async def __aexit__(self, *_):
        pass


class Left(Entered):
    async def __aenter__(self):
        pass

    async def __aexit__(self, *_):
        await leaf(self.event)


async def enters(event):
    async with Entered(event):
        pass


async def leaves(event):
    async with Left(event):
        pass


class Awaitable:
    def __init__(self, event):
        self.event = event

    def __await__(self):
        yield from leaf(self.event).__await__()


async def awaits_object(event):
    await Awaitable(event)


@types.coroutine
def generator_based(event):
    yield from leaf(event)


async def awaits_generator(event):
    await generator_based(event)


async def gathers(event):
    await asyncio.gather(top(event), enters(event))  # BP: gathers


async def groups(event):
    async with asyncio.TaskGroup() as group:  # BP: groups
        group.create_task(top(event), name="grouped 1")
        group.create_task(loops_over(event), name="grouped 2")


async def shields(event):
    await asyncio.shield(top(event))


async def waits_for_all(event):
    await asyncio.wait([asyncio.create_task(top(event)), asyncio.create_task(leaf(event))])


async def has_limit(event):
    await asyncio.wait_for(top(event), 10_000)


async def takes_as_they_come(event):
    for next_one in asyncio.as_completed([top(event), middle(event)]):
        await next_one


async def sleeps():
    await asyncio.sleep(10_000)


async def awaits(task):
    await task  # BP: awaits


async def locks(lock, event):
    async with lock:
        await event.wait()


async def fails():
    raise ValueError("on purpose")


def spawn_all(event):
    """Starts a task of each kind."""
    spawn = asyncio.create_task
    shapes = [top, loops_over, asks_next, throws, comprehends, enters, leaves, awaits_object, awaits_generator, gathers, groups]
    shapes += [shields, waits_for_all, has_limit, takes_as_they_come]
    tasks = [spawn(shape(event)) for shape in shapes]
    tasks += [spawn(sleeps()), spawn(recursive(event, 50), name="deep")]
    tasks += [spawn(awaits(tasks[0]), name=f"awaits {number}") for number in (1, 2, 3)]
    lock = asyncio.Lock()
    tasks += [spawn(locks(lock, event), name=f"locks {number}") for number in (1, 2)]
    tasks += [spawn(asyncio.sleep(0), name="done"), spawn(fails(), name="failed")]
    if "names" in sys.argv:
        tasks += [spawn(sleeps(), name=name) for name in ("naïve", "Ελλάδα ☕", "𝕏 𝕐")]
    return tasks


async def settle(event):
    """Lets all tasks come to where they stay."""
    kept.append(spawn_all(event))
    await asyncio.sleep(0.2)


async def stay(placed):
    event = asyncio.Event()
    await settle(event)
    placed.set()
    await event.wait()  # BP: stay


def new_loop():
    if "uvloop" in sys.argv:
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


def run(placed):
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(stay(placed))


def run_and_end():
    """Leaves its tasks behind."""
    loop = new_loop()
    kept.append(loop)
    loop.run_until_complete(settle(asyncio.Event()))


def say_ready_and_listen(placed):
    for event in placed:
        event.wait()
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)


ended = threading.Thread(target=run_and_end)
ended.start()
ended.join()
events = [threading.Event(), threading.Event()]
threading.Thread(target=run, args=[events[0]], daemon=True).start()
threading.Thread(target=say_ready_and_listen, args=[events], daemon=True).start()
run(events[1])
