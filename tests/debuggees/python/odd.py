"""Objects that harm whoever looks at them, and tasks with odd names."""

import asyncio
import time


class Slow:
    def __repr__(self):
        time.sleep(30)
        return "late"


class Exits:
    def __repr__(self):
        raise SystemExit(3)


class Number:
    def __repr__(self):
        return 7


class Nothing:
    def __getattribute__(self, name):
        raise RuntimeError(name)


class Loop:
    def __init__(self):
        self.me = self

    def __repr__(self):
        return "Loop()"


class Text(str):
    def __repr__(self):
        raise ValueError

    __str__ = __len__ = __repr__


class Own(asyncio.Task):
    def __repr__(self):
        raise ValueError

    get_name = get_coro = __repr__


async def sleeps():
    await asyncio.sleep(1000)  # BP: sleeps


async def values():
    exits, number, nothing, loop, text = Exits(), Number(), Nothing(), Loop(), Text("abc")
    nested = {"key": [exits, (1, {2: nothing})]}
    large = list(range(100_000))
    slow = Slow()
    await asyncio.sleep(1000)  # BP: values


async def main():
    names = ["", "two\nlines", "Grüße 🎉", "a" * 5000, "\ud800 half", "<b>{braces} %s", 12345]
    tasks = [asyncio.create_task(sleeps(), name=name) for name in names]
    tasks.append(Own(values(), loop=asyncio.get_running_loop(), name="own"))
    await asyncio.sleep(0)
    print("ready")  # BP: stop


asyncio.run(main())  # BP: script
