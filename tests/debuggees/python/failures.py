"""Tasks that fail, in every way that matters to who watches for it; `python failures.py WAY`."""

import asyncio
import gc
import sys


async def inner(number):
    await asyncio.sleep(0)
    raise ValueError(f"failure {number}")  # BP: inner


async def fails(number):
    await inner(number)  # BP: fails


async def at_once(number):
    raise ValueError(f"failure {number}")  # BP: at_once


async def catches():
    try:
        await inner(9)
    except ValueError:
        return "caught"


async def passes_on(task):
    return await task


async def failed():
    """Two that are gathered, one that is caught, and one whose exception goes through a second task and a group."""
    print(await asyncio.gather(fails(1), fails(2), catches(), return_exceptions=True), flush=True)
    child = asyncio.create_task(fails(3), name="child")
    parent = asyncio.create_task(passes_on(child), name="parent")
    await asyncio.wait([parent])
    cancelled = asyncio.create_task(asyncio.sleep(60), name="cancelled")
    await asyncio.sleep(0)
    cancelled.cancel()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails(4), name="member")
    except* ValueError as failures:
        print(len(failures.exceptions), str(parent.exception()), flush=True)


async def grouped():
    async with asyncio.TaskGroup() as group:
        group.create_task(fails(5), name="member")


async def unseen():
    """One that is forgotten, and one that is seen too late because a cycle keeps it."""
    asyncio.create_task(fails(6), name="forgotten")  # BP: forgotten
    await asyncio.sleep(0.01)
    gc.collect()
    kept = asyncio.create_task(fails(7), name="kept")  # BP: kept
    await asyncio.wait([kept])
    del kept
    gc.collect()  # BP: collect
    print("unharmed", flush=True)


async def eager():
    """One that has failed when it is there, where the version has such tasks."""
    factory = getattr(asyncio, "eager_task_factory", None)
    asyncio.get_running_loop().set_task_factory(factory)
    task = asyncio.create_task(at_once(8), name="eager")
    await asyncio.wait([task])
    print(task.exception(), flush=True)


async def elsewhere():
    """In a loop of another thread."""
    try:
        await asyncio.to_thread(asyncio.run, fails(9))
    except ValueError as failure:
        print(failure, flush=True)


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]]())  # BP: run
