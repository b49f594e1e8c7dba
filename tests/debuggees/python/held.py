"""Tasks that wait, and then a call of C's that keeps the interpreter's lock. The arguments are two FIFOs: what is written
to the first begins the call, what is written to the second ends it."""

import asyncio
import ctypes
import pathlib
import sys

LIBC = ctypes.PyDLL(None)


async def waits(event):
    await event.wait()  # BP: waits


async def main():
    event = asyncio.Event()
    tasks = [asyncio.create_task(waits(event), name=name) for name in ("first", "second")]
    await asyncio.sleep(0)
    print("ready", flush=True)
    await asyncio.to_thread(pathlib.Path(sys.argv[1]).read_text)  # BP: asked
    tasks.append(asyncio.create_task(waits(event), name="third"))
    await asyncio.sleep(0)
    # It is the call that says that it has begun.
    LIBC.system(f"echo held; read line < {sys.argv[2]}".encode())  # BP: held
    while tasks:
        await asyncio.sleep(0.001)  # BP: over


asyncio.run(main())
