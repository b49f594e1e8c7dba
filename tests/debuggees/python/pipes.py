"""Async generators, iterators and context managers, each suspended in another of its phases."""

import asyncio
import contextlib


class Source:
    def __init__(self):
        self.count = 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        self.count += 1
        if self.count > 2:
            await asyncio.Event().wait()  # BP: dry
        return self.count


async def squares(source):
    async for number in source:  # BP: squares
        yield number * number


async def doubled(values):
    async with contextlib.aclosing(values) as closing:
        async for value in closing:  # BP: doubled
            yield value * 2


async def consumes():
    total = 0
    async for value in doubled(squares(Source())):  # BP: consumes
        total += value


@contextlib.asynccontextmanager
async def resource():
    try:
        yield 1
    finally:
        await asyncio.sleep(1000)  # BP: gives back


async def leaves():
    async with resource():  # BP: leaves
        pass


class Door:
    async def __aenter__(self):
        await asyncio.sleep(1000)  # BP: opens

    async def __aexit__(self, *_):
        pass


async def enters():
    async with Door():  # BP: enters
        pass


async def stubborn():
    try:
        yield 1
    except ValueError:
        await asyncio.sleep(1000)  # BP: handles
    finally:
        await asyncio.sleep(1000)  # BP: tidies


async def throws():
    values = stubborn()
    await anext(values)
    await values.athrow(ValueError())  # BP: throws


async def closes():
    values = stubborn()
    await anext(values)
    await values.aclose()  # BP: closes


async def main():
    tasks = [asyncio.create_task(run(), name=run.__name__) for run in (consumes, leaves, enters, throws, closes)]  # BP: spawns
    for _ in range(10):
        await asyncio.sleep(0)
    print("ready")  # BP: stop
    for task in tasks:
        task.cancel()


asyncio.run(main())  # BP: script
