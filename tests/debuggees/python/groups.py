"""Groups within groups, a gather of a gather and a shield. `watch` stops when all the others are in their places."""

import asyncio


async def leaf(number):
    await asyncio.sleep(3600 + number)  # BP: leaf


async def group(name):
    async with asyncio.TaskGroup() as members:
        members.create_task(leaf(1), name=name + ".1")  # BP: first
        members.create_task(leaf(2), name=name + ".2")  # BP: second
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    # Where its end is awaited is another line in each version.


async def gathers():
    pair = asyncio.gather(leaf(3), leaf(4))  # BP: pair
    return await asyncio.gather(pair, asyncio.shield(leaf(5)), return_exceptions=True)  # BP: gathers


async def watch():
    nested = asyncio.create_task(gathers(), name="nested")  # BP: nests
    for _ in range(10):
        await asyncio.sleep(0)
    print("ready")  # BP: stop
    nested.cancel()
    for member in asyncio.all_tasks():
        member.cancel()


async def body():
    async with asyncio.TaskGroup() as outer:
        left = outer.create_task(group("left"), name="left")  # BP: left
        outer.create_task(group("right"), name="right")  # BP: right
        outer.create_task(watch(), name="watch")  # BP: watch
        await left  # BP: awaits


async def main():
    async with asyncio.timeout(5000):
        await body()  # BP: body


try:
    asyncio.run(main())  # BP: script
except asyncio.CancelledError:
    print("cancelled")
