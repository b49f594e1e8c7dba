"""A parent that gathers two children; one of them waits for what never comes until the other is done."""
import asyncio


async def reader(event):
    await event.wait()  # BP: waits
    return "read"


async def writer(event):
    value = 7
    await asyncio.sleep(0)
    event.set()  # BP: writes
    return value


async def parent():
    event = asyncio.Event()
    one = asyncio.create_task(reader(event), name="reader")
    two = asyncio.create_task(writer(event), name="writer")
    both = await asyncio.gather(one, two)  # BP: gathers
    print(both)


asyncio.run(parent())
