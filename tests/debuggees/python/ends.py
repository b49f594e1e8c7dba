"""Tasks that fail, are cancelled, resist, and those that wait for them."""

import asyncio


class Bad(Exception):
    def __str__(self):
        raise RuntimeError("nobody may ask")

    __repr__ = __str__


async def fails(number):
    await asyncio.sleep(0)
    raise ValueError(f"number {number}")  # BP: fails


async def bad():
    raise Bad  # BP: bad


async def never():  # BP: never
    await asyncio.Event().wait()  # BP: waits


async def resists():
    try:
        await never()
    except asyncio.CancelledError:
        await asyncio.sleep(1000)  # BP: resists


async def shields(task):
    await asyncio.shield(task)  # BP: shields


async def limits():
    async with asyncio.timeout(5000):
        async with asyncio.timeout(500):
            await never()  # BP: limits


async def waits_for(task):
    await asyncio.wait([task], timeout=777)  # BP: waits for


async def groups():
    async with asyncio.TaskGroup() as group:
        group.create_task(fails(9), name="member that fails")
        group.create_task(resists(), name="member that stays")  # BP: member


async def gathers():
    return await asyncio.gather(*(fails(number) for number in range(3)))


async def main():
    tasks = {}

    def spawn(coroutine, name):
        tasks[name] = asyncio.create_task(coroutine, name=name)  # BP: spawn

    spawn(never(), "inner")
    spawn(fails(1), "fails")
    spawn(bad(), "bad")
    spawn(resists(), "resists")
    spawn(shields(tasks["inner"]), "shields")
    spawn(limits(), "limits")
    spawn(waits_for(tasks["inner"]), "waits for")
    spawn(groups(), "groups")
    spawn(gathers(), "gathers")
    spawn(never(), "cancelled")
    for _ in range(10):
        await asyncio.sleep(0)
    tasks["resists"].cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    tasks["cancelled"].cancel()
    spawn(never(), "not begun")
    print("ready")  # BP: stop
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
        task.cancel()


asyncio.run(main())  # BP: script
