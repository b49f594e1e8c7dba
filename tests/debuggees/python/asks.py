"""Asks for a name, waits to be told to end, and cleans up."""
import asyncio
import os
import sys


async def main():
    name = input("name? ")
    print("hello", name, flush=True)  # BP: greets
    try:
        await asyncio.sleep(3600 if "forever" in sys.argv else 0.01)
    finally:
        await asyncio.sleep(0)
        print("cleaned up", flush=True)
    print("alone" if os.getppid() == 1 else "done", flush=True)


asyncio.run(main())
sys.exit(4)
