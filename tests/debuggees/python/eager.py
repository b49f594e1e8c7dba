"""Tasks that begin where they are created (Python 3.12 and later)."""

import asyncio


async def sleeps():
    await asyncio.sleep(1000)  # BP: sleeps


async def nests():
    child = asyncio.create_task(sleeps(), name="grandchild")  # BP: nests
    print("within")  # BP: within
    await child  # BP: awaits


async def returns():
    return 1


async def main():
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    tasks = [asyncio.create_task(run(), name=run.__name__) for run in (sleeps, nests, returns)]  # BP: spawns
    print("ready")  # BP: stop
    assert tasks[2].done()


asyncio.run(main())  # BP: script
