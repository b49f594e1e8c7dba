"""Coroutines to be stepped through, each while siblings run the same code.

    python walks.py NAME [SIBLINGS]

The walked one has `me == 2`; what is printed at the end is what it returned.
"""

import asyncio
import sys

from running import run


async def leaf(me):
    await asyncio.sleep(0)  # BP: leaf 1
    return me + 1  # BP: leaf 2


async def chain(me):
    total = me  # BP: chain 1
    for turn in range(2):  # BP: chain 2
        total += await leaf(me)  # BP: chain 3
        await asyncio.sleep(0.001)  # BP: chain 4
    return total  # BP: chain 5


async def failing(me):
    await asyncio.sleep(0)  # BP: failing 1
    raise ValueError(me)  # BP: failing 2


async def caught(me):
    try:  # BP: caught 1
        await failing(me)  # BP: caught 2
    except ValueError as failure:  # BP: caught 3
        me += failure.args[0]  # BP: caught 4
    finally:
        await asyncio.sleep(0)  # BP: caught 5
    return me  # BP: caught 6


async def numbers(me):
    for number in range(2):  # BP: numbers 1
        await asyncio.sleep(0)  # BP: numbers 2
        yield number + me  # BP: numbers 3


class Door:
    async def __aenter__(self):
        await asyncio.sleep(0)  # BP: enter 1
        return 5  # BP: enter 2

    async def __aexit__(self, *_):
        await asyncio.sleep(0)  # BP: exit 1


async def streamed(me):
    seen = []  # BP: streamed 1
    async for number in numbers(me):  # BP: streamed 2
        seen.append(number)  # BP: streamed 3
    async with Door() as door:  # BP: streamed 4
        seen.append(door)  # BP: streamed 5
    more = [number async for number in numbers(me)]  # BP: streamed 6
    return seen, more  # BP: streamed 7


async def queued(me):
    queue = asyncio.Queue(1)  # BP: queued 1
    await queue.put(me)  # BP: queued 2
    asyncio.get_running_loop().call_later(0.01, lambda: queue.put_nowait(7))  # BP: queued 3
    first = await queue.get()  # BP: queued 4
    second = await queue.get()  # BP: queued 5
    return first + second  # BP: queued 6


async def gathered(me):
    both = await asyncio.gather(leaf(me), leaf(me + 1))  # BP: gathered 1
    timed = await asyncio.wait_for(leaf(me), 10)  # BP: gathered 2
    return both, timed  # BP: gathered 3


async def child(me):
    await asyncio.sleep(0.001)  # BP: child 1
    return me + 1  # BP: child 2


async def joined(me):
    task = asyncio.create_task(child(me))  # BP: joined 1
    value = await task  # BP: joined 2
    return value  # BP: joined 3


async def kept(me):
    task = child(me)  # BP: kept 1
    await asyncio.Event().wait()
    return task


async def slow(me):
    values = await asyncio.gather(child(me), asyncio.Event().wait())  # BP: slow 1
    return values


async def quick(me):
    value = me + 1  # BP: quick 1
    return value  # BP: quick 2


async def eager(me):
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # BP: eager 1
    task = asyncio.create_task(quick(me))  # BP: eager 2
    other = asyncio.create_task(child(me))  # BP: eager 3
    value = await task + await other  # BP: eager 4
    return value  # BP: eager 5


async def collected(me):
    values = await asyncio.gather(child(me), asyncio.sleep(0.002))  # BP: collected 1
    return values  # BP: collected 2


async def grouped(me):
    async with asyncio.TaskGroup() as group:  # BP: grouped 1
        task = group.create_task(child(me))  # BP: grouped 2
    return task.result()  # BP: grouped 3


async def shielded(me):
    value = await asyncio.shield(child(me))  # BP: shielded 1
    return value  # BP: shielded 2


async def limited(me):
    value = await asyncio.wait_for(asyncio.create_task(child(me)), 10)  # BP: limited 1
    return value  # BP: limited 2


async def selected(me):
    done, _ = await asyncio.wait([asyncio.create_task(child(me))])  # BP: selected 1
    return len(done)  # BP: selected 2


async def completed(me):
    total = 0
    for first in asyncio.as_completed([child(me)]):  # BP: completed 1
        total += await first  # BP: completed 2
    return total  # BP: completed 3


async def endless(me):
    await asyncio.sleep(100)  # BP: endless 1
    return me  # BP: endless 2


async def aborted(me):
    task = asyncio.create_task(endless(me))  # BP: aborted 1
    asyncio.get_running_loop().call_later(0.01, task.cancel)  # BP: aborted 2
    try:  # BP: aborted 3
        await task  # BP: aborted 4
    except asyncio.CancelledError:  # BP: aborted 5
        return me  # BP: aborted 6


async def broken(me):
    task = asyncio.create_task(failing(me))  # BP: broken 1
    try:  # BP: broken 2
        await task  # BP: broken 3
    except ValueError:  # BP: broken 4
        return me  # BP: broken 5


async def alone(me):
    task = asyncio.create_task(child(me))  # BP: alone 1
    while not task.done():  # BP: alone 2
        await asyncio.sleep(0.001)  # BP: alone 3
    return task.result()  # BP: alone 4


async def main(walk, siblings):
    tasks = [asyncio.create_task(walk(me)) for me in range(siblings)]
    results = await asyncio.gather(*tasks)  # BP: main 1
    return results[2]  # BP: main 2


if __name__ == "__main__":
    walk = globals()[sys.argv[1]]
    siblings = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    result = run(main(walk, siblings))  # BP: run 1
    print(result)  # BP: run 2
