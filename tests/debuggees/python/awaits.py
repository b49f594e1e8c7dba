"""Awaits in the midst of a task, as the debug console does when the program is stopped there. Prints what came of it."""

import asyncio
import sys


async def value(seconds, result):
    await asyncio.sleep(seconds)
    return result


async def ticks(counter):
    for _ in range(3):
        await asyncio.sleep(0.01)
        counter.append(len(counter))


async def stubborn():
    try:
        await asyncio.sleep(1000)
    except asyncio.CancelledError:
        await asyncio.sleep(1000)


def here(source, variables, seconds=30):
    """Evaluates like weft's console."""
    try:
        return sys.modules["_weft"].awaits.evaluate(source, {**globals(), **variables}, seconds)
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"


async def main():
    loop, counter = asyncio.get_running_loop(), []
    other = asyncio.create_task(ticks(counter))
    later = asyncio.create_task(value(0.01, "later"))
    me = asyncio.current_task()
    for _ in range(5):
        loop.call_soon(counter.append, "soon")
    local = 20
    print(here("await value(0.01, local) + 1 + await value(0, 1)", locals()))
    print(here("[local, *[await value(0, n) for n in range(3)]]", locals()))
    print(here("await later", locals()))
    print(here("await asyncio.shield(me)", locals(), 1))
    print(here("1 + local", locals()))
    print(here("await value(0, 1 / 0)", locals()))
    print(asyncio.current_task() is me, counter.count("soon"))
    await other
    print([count for count in counter if count != "soon"][-1] >= 2)
    print(here("await stubborn()", locals(), 1))
    print(await value(0, "goes on"))


asyncio.run(main())
print(here("await value(0, 'without a loop')", {}))
print("done", flush=True)
sys.stdin.readline()
