"""Loops within loops, as nest_asyncio makes them possible."""

import asyncio

import nest_asyncio

nest_asyncio.apply()


async def value(number):
    await asyncio.sleep(0.001)
    return number * 2  # BP: value


def inner():
    return asyncio.run(value(21))  # BP: inner


async def waits(event):
    await event.wait()  # BP: waits


async def main():
    event = asyncio.Event()
    waiting = asyncio.create_task(waits(event), name="waiting")
    await asyncio.sleep(0)
    answer = inner()
    event.set()  # BP: outer
    await waiting
    print(f"answer {answer}")


asyncio.run(main())
