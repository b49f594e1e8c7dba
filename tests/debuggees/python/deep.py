"""One task, so many coroutines deep. Prints `ready` when it waits; ends when its input does."""

import asyncio
import os
import sys
import threading


async def descends(depth, event):
    if depth:
        await descends(depth - 1, event)
    else:
        listen()
        await event.wait()


def listen():
    def until_the_end():
        print("ready", flush=True)
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=until_the_end, daemon=True).start()


async def main(depth):
    await descends(depth, asyncio.Event())


sys.setrecursionlimit(1_000_000)
asyncio.run(main(int(sys.argv[1])))
