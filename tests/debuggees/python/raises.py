"""Exceptions in plain functions, in threads and in tasks; `python raises.py WAY`."""
import asyncio
import gc
import json
import sys
import threading


def check(number):
    if number:
        raise ValueError(number)  # BP: check
    return number


def through(number):
    other = number + 100
    try:
        return check(number) + other
    except ValueError:
        return 0


def caught():
    for number in range(6):
        through(number)
    try:
        json.loads("{")  # BP: library
    except ValueError:
        print("caught", flush=True)


def ends():
    number = 7
    check(number)


def threads():
    for number in (5, 6):
        thread = threading.Thread(target=check, args=(number,), name=f"thread {number}")
        thread.start()
        thread.join()


def compare(number):
    check(number)
    return number


def called():
    for number in (3, 4):
        try:
            max([0, 0], key=lambda _: compare(number))
        except ValueError:
            pass
        try:
            json.dumps(object(), default=lambda _: compare(number))
        except ValueError:
            pass


async def fails(number):
    await asyncio.sleep(0)
    check(number)


async def tasks():
    running = [asyncio.create_task(fails(number), name=f"task {number}") for number in (1, 2, 3)]
    await asyncio.wait(running)


async def drops():
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    # One that fails in the user's code, and one that does in a library's.
    for failing in (fails(8), asyncio.wait_for(asyncio.Event().wait(), 0)):
        task = asyncio.create_task(failing)
        while not task.done():
            await asyncio.sleep(0)
        del task, failing
        gc.collect()
        print(told, flush=True)


def main(way):
    if way == "tasks":
        asyncio.run(tasks())
    elif way == "drops":
        asyncio.run(drops())
    else:
        {"caught": caught, "ends": ends, "threads": threads, "called": called}[way]()


main(sys.argv[1])
