"""Tasks that wait for themselves, alone and in circles. Prints `ready`; ends when its input does."""

import asyncio
import os
import sys

tasks = {}


def spawn(name, coroutine):
    tasks[name] = asyncio.create_task(coroutine, name=name)


async def gathers(*names):
    await asyncio.sleep(0)
    await asyncio.gather(*(tasks[name] for name in names))  # BP: gathers


async def shields(name):
    await asyncio.sleep(0)
    await asyncio.shield(tasks[name])  # BP: shields


async def waits(*names):
    await asyncio.sleep(0)
    await asyncio.wait([tasks[name] for name in names])  # BP: waits


async def by_hand(name):
    await asyncio.sleep(0)
    future = asyncio.get_running_loop().create_future()
    tasks[name].add_done_callback(lambda task: future.set_result(None))
    await future  # BP: by hand


async def main():
    spawn("alone", gathers("alone"))
    spawn("shielded", shields("shielded"))
    spawn("a", gathers("b"))
    spawn("b", waits("c"))
    spawn("c", shields("a"))
    spawn("outside", gathers("a", "alone"))
    spawn("by hand", by_hand("by hand"))
    # It would go on if the other one failed.
    spawn("not alone", gathers("not alone", "free"))
    spawn("free", asyncio.sleep(1000))
    for number in range(500):
        spawn(f"ring-{number}", gathers(f"ring-{(number + 1) % 500}"))
    for _ in range(5):
        await asyncio.sleep(0)
    print("ready", flush=True)
    sys.stdin.readline()  # BP: ready
    # What waits for itself cannot be cancelled.
    os._exit(0)


asyncio.run(main())
