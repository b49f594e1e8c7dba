"""Calls that begin once and go on for ever, for breakpoints that are set when they have begun."""
import asyncio
import threading
import time
from contextlib import asynccontextmanager

beats = asyncio.Queue()
released = None


async def leaf():
    count = 0
    while True:
        await asyncio.sleep(0.005)
        count += 1  # BP: leaf


async def outer():
    await leaf()


async def numbers():
    number = 0
    while True:
        yield number
        number += 1  # BP: generator


async def consumes():
    async for _ in numbers():
        await asyncio.sleep(0.005)


@asynccontextmanager
async def scope():
    yield "open"
    closed = "closed"  # BP: scope
    beats.put_nowait(closed)


async def scoped():
    async with scope():
        await released.wait()


async def feeds():
    while True:
        await asyncio.sleep(0.005)
        beats.put_nowait("beat")


async def takes():
    while True:
        await beats.get()


def thread():
    turns = 0
    while True:
        time.sleep(0.005)
        turns += 1  # BP: thread


async def main():
    global released
    released = asyncio.Event()
    threading.Thread(target=thread, name="beats", daemon=True).start()
    tasks = [asyncio.create_task(work()) for work in (outer, consumes, scoped, feeds, takes)]
    await asyncio.sleep(0.1)
    print("ready", flush=True)
    await asyncio.gather(*tasks)


asyncio.run(main())
