"""A task that keeps its thread. Prints `ready` when it does as its argument says: `lock` calls C code that keeps the interpreter's
lock until the standard input ends, `loop` computes until the program is killed."""

import asyncio
import ctypes
import sys


async def sleeps():
    await asyncio.sleep(10_000)  # BP: sleeps


def keeps_the_lock():
    # Functions of `PyDLL` are called with the lock held. This one reads until the standard input ends.
    byte = ctypes.create_string_buffer(1)
    print("ready", flush=True)
    while ctypes.PyDLL(None).read(0, byte, 1) > 0:  # BP: in C
        pass


def computes():
    print("ready", flush=True)
    while True:
        pass


async def inner():
    await asyncio.sleep(0.1)
    keeps_the_lock() if sys.argv[1] == "lock" else computes()


async def outer():
    await inner()


async def main():
    async with asyncio.TaskGroup() as group:  # BP: main
        group.create_task(sleeps(), name="sleeper")
        group.create_task(outer(), name="holder")


asyncio.run(main())
