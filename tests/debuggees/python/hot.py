"""What asyncio does all day, as often as it takes to be measured: prints the seconds of awaits, of turns, of tasks that are gathered."""

import asyncio
import time


def plain(number):
    return number + 1


async def leaf(number):
    return plain(number)


async def awaits(times):
    for number in range(times):
        await leaf(number)


async def turns(times):
    for _ in range(times):
        await asyncio.sleep(0)


async def tasks(times):
    for _ in range(times // 100):
        await asyncio.gather(*(asyncio.create_task(leaf(number)) for number in range(100)))


async def main():
    for run, times in ((awaits, 300_000), (turns, 20_000), (tasks, 30_000)):
        began = time.perf_counter()
        await run(times)
        print(run.__name__, time.perf_counter() - began)


asyncio.run(main())
