"""Stops in the midst of tasks, for what is typed into the console there."""
import asyncio
import sys

done = []


async def value(seconds, result):
    await asyncio.sleep(seconds)
    return result


async def fails():
    await asyncio.sleep(0)
    raise LookupError("on purpose")


async def ends():
    sys.exit(5)


async def stops():
    number = 1  # BP: inside
    return number + 1


async def forever(word, stubborn=False):
    print(word, flush=True)
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            if not stubborn:
                raise


def works(number):
    return number * 3


async def ticks():
    for turn in range(20):
        await asyncio.sleep(0.005)
        done.append(turn)


async def main():
    lock = asyncio.Lock()
    total = 1
    ticking = asyncio.create_task(ticks(), name="ticks")
    other = asyncio.create_task(value(0.01, "other"), name="other")
    await asyncio.sleep(0)
    print("total", total)  # BP: main
    async with lock:
        result = await stops()
    await ticking
    print("end", result, len(done), await other, flush=True)  # BP: end


def plain():
    print("plain")  # BP: plain


plain()
asyncio.run(main())
