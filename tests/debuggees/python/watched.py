"""Tasks that end in each way, and two of which one is watched; `python watched.py`."""
import asyncio

from running import run


async def pauses(number):
    await asyncio.sleep(0)  # BP: pauses
    return number


async def finishes(number):
    total = await pauses(number)
    total += await pauses(total)  # BP: finishes
    return total  # BP: finished


async def fails():
    reason = "on purpose"
    await asyncio.sleep(0)
    raise LookupError(reason)  # BP: fails


async def pends():
    try:
        await asyncio.sleep(1000)  # BP: pends
    finally:
        cleaned = True


async def never():
    await asyncio.sleep(1000)


async def loops(number):
    for turn in range(4):
        here = number * 10 + turn  # BP: turn
        await asyncio.sleep(0)
        print("turn", number, turn, here, flush=True)  # BP: behind


async def main():
    named = asyncio.create_task
    members = [named(finishes(1), name="finishes"), named(finishes(2), name="sibling"), named(fails(), name="fails")]
    pending = [named(pends(), name="pends"), named(never(), name="never")]
    looping = [named(loops(number), name=f"loops {number}") for number in (1, 2)]
    print("made", flush=True)  # BP: made
    results = await asyncio.gather(*members, return_exceptions=True)
    for task in pending:
        task.cancel()
    await asyncio.wait(pending)
    await asyncio.gather(*looping)
    print("end", results, flush=True)  # BP: end


run(main())
