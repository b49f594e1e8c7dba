"""Two tasks that take two locks in opposite order. Prints `ready` when they are stuck; ends when its input does.

Arguments: `timeout` limits the time of one, `outer` that of a task which awaits one.
"""

import asyncio
import sys


async def takes(first, second, both):
    async with first:
        await both.wait()
        async with second:  # BP: second
            pass


async def within_limit(coroutine):
    async with asyncio.timeout(10_000):
        await coroutine


async def main(how):
    one, two, both = asyncio.Lock(), asyncio.Lock(), asyncio.Barrier(2)
    left, right = takes(one, two, both), takes(two, one, both)
    if how == "timeout":
        left = within_limit(left)
    tasks = [asyncio.create_task(left, name="left"), asyncio.create_task(right, name="right")]
    if how == "outer":
        tasks.append(asyncio.create_task(within_limit(tasks[0]), name="outer"))
    await asyncio.sleep(0.2)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else None))
