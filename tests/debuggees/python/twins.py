"""Two loops on two threads, each with a task of its own. With the name of a pipe, each task waits until somebody writes to that."""
import asyncio
import sys
import threading

together = threading.Barrier(2)
written = threading.Event()


def read(gate):
    with open(gate) as pipe:
        pipe.readline()
    written.set()


async def turns(name):
    here = name  # BP: begins
    for turn in range(3):
        here = f"{name} {turn}"
        await asyncio.sleep(0)  # BP: waits
    print(here, flush=True)
    if not written.is_set():
        await asyncio.to_thread(written.wait)
    return here  # BP: returns


async def run(name):
    task = asyncio.create_task(turns(name), name=name)
    together.wait()
    if name == "left":
        print("made", flush=True)  # BP: made
    together.wait()
    await task


if sys.argv[1:]:
    threading.Thread(target=read, args=sys.argv[1:], daemon=True).start()
else:
    written.set()
other = threading.Thread(target=lambda: asyncio.run(run("right")), name="right")
other.start()
asyncio.run(run("left"))
other.join()
print("end", flush=True)
