"""Workers that never come to an end and all run the same code, while their clients keep them busy over sockets. Every function
has a variable `me`: whose work it is."""

import asyncio


async def leaf(me, value):
    await asyncio.sleep(0)
    if value % 3 == 0:
        raise ValueError(value)
    return value + me


async def numbers(me):
    for number in range(3):
        await asyncio.sleep(0)
        yield number


class Door:
    def __init__(self, me):
        self.me = me

    async def __aenter__(self):
        me = self.me
        await asyncio.sleep(0)
        return me

    async def __aexit__(self, *_):
        me = self.me
        await asyncio.sleep(0)
        del me


def plain(me, value):
    return value * 2


async def child(me, value):
    await asyncio.sleep(0.0001)
    doubled = plain(me, value)
    return doubled


async def calls(me, reader, writer):
    writer.write(b"%d\n" % me)
    await writer.drain()
    line = await reader.readline()
    return int(line)


async def worker(me, port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    turn = 0
    while True:
        turn += 1
        try:
            got = await leaf(me, turn)
        except ValueError:
            got = -1
        async for number in numbers(me):
            got += number
        async with Door(me) as door:
            got += door
        both = await asyncio.gather(child(me, 1), child(me, 2))
        task = asyncio.create_task(child(me, turn))
        got += await task
        for first in asyncio.as_completed([child(me, 3), child(me, 4)]):
            got += await first
        got += await asyncio.wait_for(child(me, 5), 10)
        answer = await calls(me, reader, writer)
        assert answer == me + 1, (answer, both)
        values = [plain(me, value) async for value in numbers(me)]
        got += sum(values)  # BP: turn


async def serve(reader, writer):
    while line := await reader.readline():
        await asyncio.sleep(0)
        writer.write(b"%d\n" % (int(line) + 1))
        await writer.drain()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await asyncio.gather(*(worker(me, port) for me in range(20)))


asyncio.run(main())
