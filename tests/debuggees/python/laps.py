"""A coroutine that goes round and round: to step in."""

import asyncio


async def leaf(count):
    return count * 2


async def laps():
    count = 0
    while True:
        count += 1  # BP: lap
        await leaf(count)
        if count % 100 == 0:
            await asyncio.sleep(0)


asyncio.run(laps())
