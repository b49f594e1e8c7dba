"""Asks for a debugger by itself."""
import asyncio


async def asks(number):
    breakpoint()  # BP: breakpoint
    await asyncio.sleep(0)  # BP: next
    return number


async def traced(number):
    import pdb; pdb.set_trace()  # BP: pdb


async def last():
    breakpoint()  # BP: last


async def main():
    result = await asyncio.gather(asks(1), asks(2))
    await traced(3)
    await last()
    print("done", result, flush=True)


asyncio.run(main())
