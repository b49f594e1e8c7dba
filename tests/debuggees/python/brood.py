"""Makes a process, in the way it is told, whose coroutine does the work. With `later` it waits for a line before."""
import asyncio
import multiprocessing
import os
import subprocess
import sys


async def job(number):
    doubled = number * 2
    await asyncio.sleep(0.001)  # BP: works
    return doubled


async def jobs(number):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(job(number), name="worker")
    return task.result()


def work(number):
    print("child", asyncio.run(jobs(number)), flush=True)


async def line():
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)


def main(how):
    if how == "command":
        status = subprocess.run([sys.executable, __file__, "work"]).returncode
    elif how == "os.fork":
        child = os.fork()
        if child == 0:
            work(21)
            os._exit(5)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    else:
        process = multiprocessing.get_context(how).Process(target=work, args=(21,))
        process.start()
        process.join()
        status = process.exitcode
    print("parent", status, flush=True)  # BP: joined


if __name__ == "__main__":
    if sys.argv[1] == "work":
        work(21)
        sys.exit(7)
    if sys.argv[2:] == ["later"]:
        asyncio.run(line())
    main(sys.argv[1])
