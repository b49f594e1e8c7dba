"""What a thread does to a loop that is not its own: wrong, and right. Prints `ready` when all has happened; ends when its
input does."""

import asyncio
import sys
import threading


async def nothing():
    pass


async def waits(future):
    await future


async def listens(event):
    await event.wait()


def schedule(loop):
    loop.call_soon(int)  # BP: call_soon
    loop.call_later(0, int)  # BP: call_later
    loop.call_at(0, int)  # BP: call_at


def wrong(loop, future, event):
    for _ in range(3):
        schedule(loop)
    loop.create_task(nothing(), name="stray")  # BP: create_task
    future.set_result(None)  # BP: set_result
    event.set()  # BP: set


def right(loop, event, prepared):
    asyncio.run(listens_at_home())
    prepared.run_until_complete(nothing())
    prepared.close()
    loop.call_soon_threadsafe(event.set)
    asyncio.run_coroutine_threadsafe(nothing(), loop).result()
    loop.run_in_executor(None, int)
    loop.is_closed()


async def listens_at_home():
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.call_soon(event.set)
    loop.call_later(0, int)
    await asyncio.create_task(listens(event))


def begun(function, *arguments):
    thread = threading.Thread(target=function, args=arguments, name=function.__name__)
    thread.start()
    return thread


async def main(prepared):
    loop = asyncio.get_running_loop()
    future, event, another = loop.create_future(), asyncio.Event(), asyncio.Event()
    woken = [
        asyncio.create_task(waits(future), name="waits"),  # BP: waits
        asyncio.create_task(listens(event), name="listens"),  # BP: listens
        asyncio.create_task(listens(another), name="quiet"),
    ]
    await asyncio.sleep(0)
    # The loop stands meanwhile, or it might come to harm.
    begun(wrong, loop, future, event).join()
    # It has not run yet, so nobody's thread is wrong.
    prepared.call_soon(int)
    await asyncio.to_thread(begun(right, loop, another, prepared).join)
    await asyncio.gather(*woken)
    print("ready", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    made = asyncio.new_event_loop()
    made.call_soon(int)
    made.run_until_complete(main(asyncio.new_event_loop()))
    made.close()
