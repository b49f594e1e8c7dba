"""Objects that run code or lie whenever they are looked at. Prints `ready`, and when its input ends who was looked at."""

import asyncio
import sys
import threading

violations = []
armed = False
kept = []


def touched(what):
    if armed:
        violations.append(what)
    raise RuntimeError(f"{what} was touched")


class Metaclass(type):
    def __hash__(cls):
        return touched("the metaclass' hash") if armed else type.__hash__(cls)

    def __instancecheck__(cls, instance):
        return touched("an instance check") if armed else type.__instancecheck__(cls, instance)


class Evil(metaclass=Metaclass):
    def __repr__(self):
        touched("repr")

    def __eq__(self, other):
        touched("eq")

    def __hash__(self):
        touched("hash")

    def __getattr__(self, name):
        touched(f"an attribute ({name})")

    def __len__(self):
        touched("len")

    def __iter__(self):
        touched("iter")

    @property
    def __class__(self):
        return touched("class") if armed else Evil

    @property
    def __dict__(self):
        touched("dict")


class EvilTask(asyncio.Task):
    def get_coro(self):
        touched("get_coro")

    def get_name(self):
        touched("get_name")

    def __repr__(self):
        touched("repr of a task")

    @property
    def _fut_waiter(self):
        touched("_fut_waiter")

    @property
    def _callbacks(self):
        touched("_callbacks")


class EvilLock(asyncio.Lock):
    def locked(self):
        return touched("locked") if armed else super().locked()

    def __getattribute__(self, name):
        return touched(f"a lock's {name}") if armed else super().__getattribute__(name)

    def __bool__(self):
        return touched("a lock's truth") if armed else True


class EvilQueue(asyncio.Queue):
    def qsize(self):
        return touched("qsize") if armed else super().qsize()

    def _init(self, maxsize):
        self._queue = Items()

    def _get(self):
        return self._queue.items.pop()

    def empty(self):
        return True


class Items:
    def __len__(self):
        touched("a queue's len")


class EvilString(str):
    def __str__(self):
        return touched("a string's str") if armed else str.__str__(self)

    def __len__(self):
        return touched("a string's len") if armed else str.__len__(self)


class EvilError(Exception):
    def __str__(self):
        touched("str of an exception")

    @property
    def args(self):
        touched("args of an exception")


class Awaited:
    """What it gives to who awaits it is no generator."""

    def __init__(self, future):
        self.future = future

    def __await__(self):
        return Steps(self.future)


class Steps:
    def __init__(self, future):
        self.future, self.begun = future, False

    def __iter__(self):
        return self

    def __next__(self):
        return self.send(None)

    def send(self, value):
        if self.begun:
            raise StopIteration
        self.begun = True
        self.future._asyncio_future_blocking = True
        return self.future

    def throw(self, *arguments):
        raise StopIteration

    def __getattr__(self, name):
        if name in ("cr_await", "gi_yieldfrom", "cr_frame", "gi_frame"):
            touched(name)
        raise AttributeError(name)


async def forever(*held):
    await asyncio.Event().wait()


async def locks(lock):
    odd = Evil()
    async with lock:
        await forever(odd)


async def gets(queue):
    await queue.get()


async def awaits(thing):
    await thing


async def fails():
    raise EvilError(Evil())


async def dives(depth):
    if depth:
        await dives(depth - 1)
    else:
        await forever()


async def short():
    pass


def other_loop(ready):
    async def main():
        kept.append(asyncio.create_task(forever(), name="elsewhere"))
        ready.set()
        while not stop.is_set():
            await asyncio.gather(*(asyncio.create_task(short(), name="short") for _ in range(20)))

    asyncio.run(main())


stop = threading.Event()


async def main():
    global armed
    loop = asyncio.get_running_loop()

    def keep(coroutine, name):
        kept.append(asyncio.create_task(coroutine, name=name))

    loop.set_task_factory(lambda loop, coro, **arguments: EvilTask(coro, loop=loop, **arguments))
    keep(forever(Evil()), "of-an-evil-class")
    loop.set_task_factory(lambda loop, coro, **arguments: asyncio.tasks._PyTask(coro, loop=loop, **arguments))
    keep(forever(), "of-python")
    keep(awaits(kept[-1]), "awaits-python's")
    loop.set_task_factory(None)
    lock = EvilLock()
    keep(locks(lock), "has")
    await asyncio.sleep(0)
    keep(locks(lock), "wants")
    keep(gets(EvilQueue()), "gets")
    keep(awaits(Awaited(loop.create_future())), "steps")
    keep(fails(), "failed")
    keep(dives(500), "deep")
    keep(forever(), "giant" * 100_000)
    keep(forever(), "strange")
    if hasattr(kept[-1], "set_name"):
        kept[-1].set_name(EvilString("strange name"))
    ready = threading.Event()
    thread = threading.Thread(target=other_loop, args=(ready,))
    thread.start()
    ready.wait()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    armed = True
    print("ready", flush=True)
    sys.stdin.readline()
    armed = False
    print("violations:", violations, flush=True)
    stop.set()
    thread.join()
    sys.stdin.readline()


if __name__ == "__main__":
    asyncio.run(main())
