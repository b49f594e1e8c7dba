"""Coroutines far within each other: suspended, and running."""

import asyncio
import sys


async def dives(depth):
    if depth == 0:
        await asyncio.sleep(1000)  # BP: bottom
    await dives(depth - 1)  # BP: dives


async def runs(depth):
    if depth:
        await runs(depth - 1)  # BP: runs
    else:
        await asyncio.sleep(0)
        plain()  # BP: calls


def plain():
    print("ready")  # BP: stop


async def main():
    tasks = [asyncio.create_task(dives(depth), name=f"{depth} deep") for depth in (1, 100, 900)]  # BP: spawns
    await runs(50)  # BP: main
    for task in tasks:
        task.cancel()


sys.setrecursionlimit(5000)
asyncio.run(main())  # BP: script
