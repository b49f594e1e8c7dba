"""Says back each line that it reads, and is idle in between."""
import asyncio
import sys


async def echo(reader):
    while data := await reader.readline():
        text = data.decode()
        print("echo", text, end="", flush=True)  # BP: echoes


async def main():
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    task = asyncio.create_task(echo(reader), name="echo")
    print("ready", flush=True)
    await task


asyncio.run(main())
