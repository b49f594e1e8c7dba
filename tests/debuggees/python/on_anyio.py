"""Tasks of anyio's on asyncio."""

import anyio


async def waits(event):
    await event.wait()  # BP: waits


async def answers(*, task_status):
    task_status.started("yes")
    await anyio.sleep(0)  # BP: answers


async def main():
    event = anyio.Event()
    async with anyio.create_task_group() as group:
        for number in range(2):
            group.start_soon(waits, event, name=f"waits {number}")
        said = await group.start(answers, name="answers")
        await anyio.sleep(0)
        event.set()  # BP: ready
    print(said)


anyio.run(main)
