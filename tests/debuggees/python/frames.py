"""A suspended task with variables of many kinds, some of them hostile. Prints `ready`; ends when its input does."""

import asyncio
import collections
import sys

counter = 0
tasks = []


class Point:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __repr__(self):
        return f"Point({self.x}, {self.y})"


class Plain:
    def __init__(self):
        self.name = "plain"
        self.inner = {"key": [1, 2, 3]}


class Raises:
    def __repr__(self):
        raise RuntimeError("no repr for you")

    def __getattr__(self, name):
        raise RuntimeError("no attribute for you")


class Endless:
    def __repr__(self):
        while True:
            pass


class Liar:
    @property
    def __class__(self):
        raise RuntimeError("no class for you")

    @property
    def __dict__(self):
        raise RuntimeError("no dictionary for you")

    def __eq__(self, other):
        raise RuntimeError("no comparison for you")

    def __hash__(self):
        raise RuntimeError("no hash for you")

    def __repr__(self):
        return "a liar"


async def forever():
    await asyncio.Event().wait()


async def inner(first, second="two", *rest):
    number = 10**30
    text = "x" * 1000
    numbers = list(range(100))
    nested = {"a": {"b": {"c": {"d": 1}}}}
    point, plain, raises, liar = Point(1, 2), Plain(), Raises(), Liar()
    queue = collections.deque([1, 2], 5)
    await forever()  # BP: inner
    return first, second, rest, number, text, numbers, nested, point, plain, raises, liar, queue


async def endless():
    stuck, after = Endless(), 5
    await forever()  # BP: endless
    return stuck, after


async def outer():
    await inner(1)  # BP: outer


async def awaits(task):
    await task  # BP: awaits


async def gathers(*members):
    await asyncio.gather(*members)  # BP: gathers


async def main():
    def spawn(coroutine, name):
        tasks.append(asyncio.create_task(coroutine, name=name))  # BP: spawn
        return tasks[-1]

    held = spawn(outer(), "held")
    top = spawn(awaits(held), "awaiter")
    spawn(gathers(top, held), "gatherer")
    spawn(endless(), "endless")
    for _ in range(5):
        await asyncio.sleep(0)
    print("ready", flush=True)
    sys.stdin.readline()  # BP: running


if __name__ == "__main__":
    asyncio.run(main())
