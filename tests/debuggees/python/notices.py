"""What asyncio warns of, once each. Prints `ready` when all has happened; ends when its input does."""

import asyncio
import gc
import logging
import sys
import time


async def forgotten():
    pass  # nobody gets here


async def fails():
    raise ValueError("on purpose")  # BP: fails


async def handled():
    raise KeyError("seen")


def slow_callback():  # BP: slow_callback
    time.sleep(0.2)


async def slow():
    time.sleep(0.2)
    await asyncio.sleep(0)  # BP: slow


def bad_callback():
    raise LookupError("in a callback")  # BP: bad_callback


async def waits(future):
    await future


def drop():
    forgotten()  # BP: forgotten


async def main():
    loop = asyncio.get_running_loop()
    drop()
    await asyncio.create_task(slow(), name="slow")
    loop.call_soon(slow_callback)
    await asyncio.sleep(0)
    asyncio.create_task(fails(), name="unseen")  # BP: unseen
    seen = asyncio.create_task(handled(), name="seen")
    await asyncio.gather(seen, return_exceptions=True)
    del seen
    gc.collect()
    loop.call_soon(bad_callback)
    await asyncio.sleep(0)
    pending = asyncio.create_task(waits(loop.create_future()), name="pending")  # BP: pending
    await asyncio.sleep(0)
    del pending
    gc.collect()
    logging.getLogger("asyncio").warning("a %s of its own", "word")  # BP: log
    print("ready", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    asyncio.run(main())
