"""Variables of all kinds, which are given other values while the program stands; it prints what it has then."""
import asyncio
import threading

limit = 10
touched = []


class Account:
    kind = "plain"

    def __init__(self):
        self.balance = 5
        self._rate = 1

    @property
    def rate(self):
        touched.append("rate")
        return self._rate

    @rate.setter
    def rate(self, value):
        if value < 0:
            raise ValueError("no negative rate")
        self._rate = value


class Pair:
    __slots__ = ("left", "right")

    def __init__(self):
        self.left = self.right = 0


def plain(number):
    doubled = number * 2
    print("plain", number, doubled, limit, flush=True)  # BP: plain


def helper(number):
    naïve = "🦀"
    print("helper", number, naïve, limit, flush=True)  # BP: helper
    return number


async def waits(gate, account):
    count = 1
    names = ["a", "b"]

    def closed():
        return count

    await gate.wait()
    print("waits", count, closed(), names, account.balance, flush=True)


async def works(account, table, items):
    step = 1
    pair = Pair()
    total = helper(step) + step
    print("works", step, total, sorted(table.items(), key=str), items, flush=True)
    print("account", account.balance, account._rate, pair.left, flush=True)


async def fails():
    number = 1
    raise LookupError(number)  # BP: fails


async def main():
    gate, account = asyncio.Event(), Account()
    waiting = asyncio.create_task(waits(gate, account), name="waiting")
    await asyncio.sleep(0)
    await asyncio.create_task(works(account, {"a": 1, (1, 2): "pair"}, [1, 2, 3]), name="working")
    gate.set()
    await waiting
    await asyncio.gather(asyncio.create_task(fails(), name="failing"), return_exceptions=True)


thread = threading.Thread(target=plain, args=(1,))
thread.start()
thread.join()
asyncio.run(main())
