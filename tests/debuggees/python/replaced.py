"""A program with a task factory, an exception handler, a policy and a loop of its own. Prints how often each was asked."""

import asyncio
import collections
import gc
import sys
import warnings

counts = collections.Counter()


class Task(asyncio.Task):
    """A task that is asyncio's by inheritance."""


def factory(loop, coroutine, **arguments):
    counts["factory"] += 1
    return Task(coroutine, loop=loop, **arguments)


def handler(loop, context):
    counts["handler"] += 1


class Loop(asyncio.SelectorEventLoop):
    """A loop that sees to everything by itself."""

    def create_task(self, coroutine, **arguments):
        counts["create_task"] += 1
        name = arguments.pop("name", None)
        task = asyncio.Task(coroutine, loop=self, **arguments)
        if name is not None:
            task.set_name(name)
        return task

    def call_exception_handler(self, context):
        counts["call_exception_handler"] += 1


async def fails():
    raise ValueError("on purpose")  # BP: fails


async def waits(event):
    await event.wait()  # BP: waits


def bad_callback():
    raise LookupError("in a callback")  # BP: bad_callback


async def main():
    loop = asyncio.get_running_loop()
    if "own" not in sys.argv:
        loop.set_task_factory(factory)
        loop.set_exception_handler(handler)
    event = asyncio.Event()
    waiting = [asyncio.create_task(waits(event), name=f"waits-{number}") for number in range(3)]  # BP: waiting
    asyncio.create_task(fails(), name="unseen")  # BP: unseen
    loop.call_soon(bad_callback)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
    event.set()  # BP: ready
    await asyncio.gather(*waiting)
    print(*sorted(f"{name} {count}" for name, count in counts.items()), sep=", ")


if "own" in sys.argv:
    warnings.simplefilter("ignore", DeprecationWarning)

    class Policy(asyncio.DefaultEventLoopPolicy):
        """A policy whose loops are of that class."""

        def new_event_loop(self):
            counts["policy"] += 1
            return Loop()

    asyncio.set_event_loop_policy(Policy())
asyncio.run(main())
