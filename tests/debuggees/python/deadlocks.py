"""Tasks that wait for each other, and some that only seem to. Prints `ready`; ends when its input does."""

import asyncio
import sys

tasks = []


def spawn(coroutine, name):
    tasks.append(asyncio.create_task(coroutine, name=name))
    return tasks[-1]


async def both(first, second):
    async with first:
        await asyncio.sleep(0)
        async with second:  # BP: second
            pass


async def awaits(name):
    await asyncio.sleep(0)
    await next(task for task in tasks if task.get_name() == name)  # BP: awaits


async def again(lock):
    async with lock:
        async with lock:  # BP: again
            pass


async def limited(first, second):
    async with first:
        await asyncio.sleep(0)
        await asyncio.wait_for(second.acquire(), 1000)


async def main():
    one, two = asyncio.Lock(), asyncio.Lock()
    spawn(both(one, two), "first")
    spawn(both(two, one), "second")
    spawn(awaits("round-2"), "round-1")
    spawn(awaits("round-1"), "round-2")
    spawn(awaits("first"), "outside")
    spawn(again(asyncio.Lock()), "again")
    # A time limit ends this one.
    three, four = asyncio.Lock(), asyncio.Lock()
    spawn(limited(three, four), "limited-1")
    spawn(both(four, three), "limited-2")
    # Nobody knows who has the other permits.
    five, six = asyncio.Semaphore(1), asyncio.Semaphore(1)
    spawn(both(five, six), "permits-1")
    spawn(both(six, five), "permits-2")
    seven, eight = asyncio.BoundedSemaphore(1), asyncio.BoundedSemaphore(1)
    spawn(both(seven, eight), "bounded-1")
    spawn(both(eight, seven), "bounded-2")
    for _ in range(10):
        await asyncio.sleep(0)
    print("ready", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    asyncio.run(main())
