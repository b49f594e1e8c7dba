"""A program that executes itself anew, as often as it is told, or at last another program."""
import asyncio
import os
import sys

left = int(sys.argv[1])


async def main():
    await asyncio.sleep(0)
    print(f"left {left}", flush=True)  # BP: left


asyncio.run(main())
if left > 0:
    os.execv(sys.executable, [sys.executable, __file__, str(left - 1), *sys.argv[2:]])
elif sys.argv[2:]:
    os.execv(sys.argv[2], sys.argv[2:])
