"""5,000 tasks, or as many as the argument says, that wait for one event, gathered."""

import asyncio
import sys


async def leaf(event):
    await event.wait()  # BP: leaf


async def middle(event):
    await leaf(event)  # BP: middle


async def watch(event):
    await asyncio.sleep(0)
    print("ready")  # BP: stop
    for _ in range(100):
        await asyncio.sleep(0)  # BP: again
    event.set()


async def main(count):
    event = asyncio.Event()
    crowd = [asyncio.create_task(middle(event), name=f"w{number}") for number in range(count)]
    asyncio.create_task(watch(event), name="watch")
    await asyncio.gather(*crowd)  # BP: main
    print("over")


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
