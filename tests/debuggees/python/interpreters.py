"""Tasks of the main interpreter, while there is another one that runs asyncio, too."""

import asyncio
import os
import sys
import threading

try:
    import _interpreters
except ImportError:
    import _xxsubinterpreters as _interpreters

OTHER = """
import asyncio, os

async def waits():
    os.write({said}, b"x")
    await asyncio.get_running_loop().run_in_executor(None, os.read, {end}, 1)

asyncio.run(waits())
"""


async def waits(event):
    await event.wait()  # BP: waits


async def main():
    heard, said = os.pipe()
    end, ends = os.pipe()
    other = _interpreters.create()
    code = OTHER.format(said=said, end=end)
    run = getattr(_interpreters, "exec", None) or _interpreters.run_string
    thread = threading.Thread(target=run, args=(other, code), name="other")
    thread.start()
    await asyncio.to_thread(os.read, heard, 1)
    event = asyncio.Event()
    waiting = asyncio.create_task(waits(event), name="waiting")
    await asyncio.sleep(0)
    event.set()  # BP: ready
    await waiting
    os.write(ends, b"x")
    await asyncio.to_thread(thread.join)
    _interpreters.destroy(other)
    print(f"over {len(sys.argv)}")  # BP: over


asyncio.run(main())
