"""Three loops in three threads."""

import asyncio
import threading

together = threading.Barrier(3)
over = threading.Event()


async def sleeps():
    await asyncio.sleep(1000)  # BP: sleeps


async def run(name):
    tasks = [asyncio.create_task(sleeps(), name=f"{name}.{number}") for number in range(2)]  # BP: spawns
    await asyncio.sleep(0)
    together.wait()
    if name == "main":
        print("ready")  # BP: stop
        over.set()
    else:
        await asyncio.to_thread(over.wait)  # BP: idle
    assert not any(task.done() for task in tasks)


threads = [threading.Thread(target=lambda name=name: asyncio.run(run(name)), name=name) for name in ("alpha", "beta")]
for thread in threads:
    thread.start()
asyncio.run(run("main"))  # BP: script
for thread in threads:
    thread.join()
