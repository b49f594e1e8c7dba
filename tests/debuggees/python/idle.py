"""Waits in one way or the other until it is told to end."""
import asyncio
import ctypes
import os
import sys
import threading
import time


async def waits():
    await asyncio.Event().wait()  # BP: waits


async def main():
    waiting = asyncio.create_task(waits(), name="waiting")
    print("ready", flush=True)
    await waiting  # BP: main


# It is the call that says that it has begun.
CALL = "echo ready; sleep 4"


def naps():
    os.system(CALL)  # BP: naps
    time.sleep(1000)


def holds():
    ctypes.PyDLL(None).system(CALL.encode())
    while True:
        time.sleep(0.001)


def other_loop():
    asyncio.run(waits())


match sys.argv[1:]:
    case ["loop"]:
        asyncio.run(main())  # BP: loop
    case ["loops"]:
        threading.Thread(target=other_loop, name="other", daemon=True).start()
        asyncio.run(main())
    case ["naps"]:
        naps()
    case ["holds"]:
        holds()
