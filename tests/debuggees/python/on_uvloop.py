"""Tasks on a loop of uvloop's. Prints `ready`; ends when its input does."""

import asyncio
import sys
import threading

import uvloop

tasks = []


def spawn(coroutine, name):
    tasks.append(asyncio.create_task(coroutine, name=name))  # BP: spawn
    return tasks[-1]


async def sleeps():
    await asyncio.sleep(1000)  # BP: sleep


async def reads(reader):
    await reader.readline()  # BP: readline


async def gathers(*members):
    await asyncio.gather(*members)  # BP: gather


async def nothing():
    pass


def strays(loop):
    loop.call_soon_threadsafe(int)
    loop.create_task(nothing())  # BP: stray


async def main():
    server = await asyncio.start_server(lambda reader, writer: tasks.append(writer), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    tasks.extend((server, writer))
    spawn(reads(reader), "readline")
    spawn(gathers(spawn(sleeps(), "sleep")), "gather")
    stray = threading.Thread(target=strays, args=(asyncio.get_running_loop(),), name="stray")
    stray.start()
    stray.join()
    for _ in range(5):
        await asyncio.sleep(0)
    print("ready", flush=True)
    sys.stdin.readline()  # BP: running


if __name__ == "__main__":
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(main())
