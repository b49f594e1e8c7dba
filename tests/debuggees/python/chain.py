"""A coroutine below a coroutine below a script."""
import asyncio
import sys

GREETING = "hello"  # BP: first


async def leaf(number):
    twice = number * 2
    await asyncio.sleep(0.001)  # BP: leaf
    return twice + 1  # BP: woken


async def middle(number):
    shapes = {"list": [1, 2, 3], "text": "däta", "none": None}
    result = await leaf(number)  # BP: middle
    shapes["result"] = result  # BP: back
    return shapes


async def main():
    shapes = await middle(21)  # BP: main
    print(GREETING, shapes["result"])
    print("something went wrong", file=sys.stderr)
    return shapes


asyncio.run(main())  # BP: script
sys.exit(3)
