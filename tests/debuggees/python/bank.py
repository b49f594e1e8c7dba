"""Locks, semaphores, queues and conditions: two transfers that wait for each other, and others that wait for what has an end."""

import asyncio


class Account:
    def __init__(self):
        self.lock = asyncio.Lock()

    def __repr__(self):
        raise RuntimeError("nobody may ask")


async def transfer(source, target):
    async with source.lock:
        await asyncio.sleep(0)
        async with target.lock:  # BP: target
            pass


async def looks(account):
    async with account.lock:  # BP: looks
        pass


async def enters(semaphore, leave):
    async with semaphore:  # BP: enters
        await leave.wait()  # BP: inside


async def produces(queue):
    while True:
        await queue.put(1)  # BP: produces


async def consumes(queue):
    while True:
        await queue.get()  # BP: consumes


async def takes(lock):
    await lock.acquire()
    await asyncio.Event().wait()  # BP: took


async def notified(condition):
    async with condition:
        await condition.wait()  # BP: notified


async def notifies(condition, leave):
    async with condition:
        await leave.wait()  # BP: notifies


async def joins(condition):
    async with condition:  # BP: joins
        pass


async def main():
    one, two, leave, bare, condition = Account(), Account(), asyncio.Event(), asyncio.Lock(), asyncio.Condition()
    full, empty = asyncio.Queue(3), asyncio.PriorityQueue()
    semaphore = asyncio.Semaphore(2)
    tasks = []

    def spawn(coroutine, name):
        tasks.append(asyncio.create_task(coroutine, name=name))  # BP: spawn

    spawn(transfer(one, two), "one to two")
    spawn(transfer(two, one), "two to one")
    spawn(looks(one), "looks")
    for number in range(3):
        spawn(enters(semaphore, leave), f"guest {number}")
    spawn(produces(full), "producer")
    spawn(consumes(empty), "consumer")
    spawn(takes(bare), "took")
    spawn(notified(condition), "notified")
    await asyncio.sleep(0)
    spawn(looks(type("Bare", (), {"lock": bare})), "wants")
    spawn(notifies(condition, leave), "notifies")
    spawn(joins(condition), "joins")
    for _ in range(5):
        await asyncio.sleep(0)
    print("ready")  # BP: stop
    for task in tasks:
        task.cancel()


asyncio.run(main())  # BP: script
