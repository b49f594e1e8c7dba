"""Streams, a server, child processes, threads and executors."""

import asyncio
import concurrent.futures
import threading

release = threading.Event()
kept = []


async def serves(reader, writer):
    writer.write(await reader.readline())
    await writer.drain()
    await reader.readexactly(10)  # BP: serves


async def calls(port, called):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    called.set()
    try:
        await reader.read(100)  # BP: calls
    finally:
        writer.close()


async def sinks(_, writer):
    kept.append(asyncio.current_task())
    try:
        await asyncio.Event().wait()  # BP: sinks
    finally:
        writer.close()


async def floods(port, full):
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            writer.write(b"x" * 1_000_000)
            if writer.transport.get_write_buffer_size() > 10_000_000:
                full.set()
            await writer.drain() if full.is_set() else None  # BP: floods
    finally:
        writer.transport.abort()


async def child(begun):
    process = await asyncio.create_subprocess_exec("/bin/cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    begun.set()
    try:
        await process.wait()  # BP: child
    finally:
        process.kill()


def waits():
    release.wait()


async def in_thread():
    await asyncio.to_thread(waits)  # BP: in thread


async def in_pool(pool):
    await asyncio.get_running_loop().run_in_executor(pool, waits)  # BP: in pool


async def main():
    called, full, begun = asyncio.Event(), asyncio.Event(), asyncio.Event()
    server = await asyncio.start_server(serves, "127.0.0.1", 0)
    sink = await asyncio.start_server(sinks, "127.0.0.1", 0)
    port, sunk = (one.sockets[0].getsockname()[1] for one in (server, sink))
    pool = concurrent.futures.ThreadPoolExecutor(1)
    tasks = []

    def spawn(coroutine, name):
        tasks.append(asyncio.create_task(coroutine, name=name))  # BP: spawn

    spawn(calls(port, called), "calls")
    spawn(floods(sunk, full), "floods")
    spawn(child(begun), "child")
    spawn(in_thread(), "in thread")
    spawn(in_pool(pool), "in pool 1")
    spawn(in_pool(pool), "in pool 2")
    spawn(server.serve_forever(), "serve")
    for event in (called, full, begun):
        await event.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    print("ready")  # BP: stop
    release.set()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


asyncio.run(main())  # BP: script
print("over")
