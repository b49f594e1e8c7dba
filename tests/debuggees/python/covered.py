# A program of a few lines, of which one is never executed.

import asyncio


async def work(number):
    total = number
    for step in range(2):
        await asyncio.sleep(0)
        total += step  # BP: adds
    if total > 100:
        print("never")
    return total


async def main():
    total = await asyncio.create_task(work(5), name="work")
    print(f"total {total}")  # BP: over


asyncio.run(main())
