"""Counts until it is told to end."""
import asyncio
import sys


async def tick(count):
    await asyncio.sleep(0.002)
    return count + 1  # BP: tick


async def main():
    count = 0
    while count < 5_000:
        count = await tick(count)
        last = count  # BP: counted
    print("counted", last)


def divide(by):
    return 1 / by  # BP: divide


async def failing():
    await asyncio.sleep(0)
    divide(0)


if "fail" in sys.argv:
    asyncio.run(failing())
else:
    print("ready", flush=True)
    asyncio.run(main())
