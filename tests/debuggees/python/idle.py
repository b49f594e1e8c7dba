"""Waits in one way or the other until it is told to end."""
import asyncio
import ctypes
import functools
import os
import sys
import threading
import time

from running import run


async def waits():
    await asyncio.Event().wait()  # BP: waits


async def main():
    waiting = asyncio.create_task(waits(), name="waiting")
    # Said by the loop itself, when both wait.
    asyncio.get_running_loop().call_soon(functools.partial(print, "ready", flush=True))
    await waiting  # BP: main


def call(gate):
    """A command that says that it has begun, and ends when somebody writes to a pipe."""
    return f"echo ready; read line < {gate}"


def naps(gate):
    os.system(call(gate))  # BP: naps
    time.sleep(1000)


def holds(gate):
    ctypes.PyDLL(None).system(call(gate).encode())
    while True:
        time.sleep(0.001)


def other_loop():
    asyncio.run(waits())


match sys.argv[1:]:
    case ["loop"]:
        run(main())  # BP: loop
    case ["loops"]:
        threading.Thread(target=other_loop, name="other", daemon=True).start()
        asyncio.run(main())
    case ["naps", gate]:
        naps(gate)
    case ["holds", gate]:
        holds(gate)
