"""Tasks of trio's."""

import trio

total = 0


async def adds(number):
    global total
    await trio.sleep(0.001)  # BP: sleep
    doubled = number * 2  # BP: adds
    total += doubled  # BP: added


async def main():
    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(adds, number)
    print(f"total {total}")  # BP: total


trio.run(main)
