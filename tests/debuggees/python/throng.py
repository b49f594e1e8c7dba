"""Many tasks, each a chain of four coroutines. Prints `ready`, then for each line of its input how many there are; at its end
it lets them all end, and prints the sum of what they gave."""

import asyncio
import sys


async def waits(event, number):
    await event.wait()
    return number


async def passes_on(event, number):
    return await waits(event, number)


async def handles(event, number):
    return await passes_on(event, number)


async def main(count):
    event = asyncio.Event()
    tasks = [asyncio.create_task(handles(event, number)) for number in range(count)]
    await asyncio.sleep(0)
    print("ready", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print("tasks", len(tasks), flush=True)
    event.set()
    print("sum", sum(await asyncio.gather(*tasks)), flush=True)


asyncio.run(main(int(sys.argv[1])))
