"""A web service, by Starlette on uvicorn. Prints its port when it listens.

`/shout?name=x` answers `X` after a moment; `/hold?name=x` answers `held x` once somebody has asked for `/release`.
"""

import asyncio
import contextlib
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

released = None


async def shout(request):
    name = request.query_params["name"]
    await asyncio.sleep(0.002)  # BP: moment
    loud = name.upper()
    return PlainTextResponse(loud)  # BP: answer


async def hold(request):
    name = request.query_params["name"]
    await released.wait()  # BP: hold
    return PlainTextResponse("held " + name)


async def release(request):
    released.set()
    return PlainTextResponse("released")


@contextlib.asynccontextmanager
async def lifespan(app):
    global released
    released = asyncio.Event()
    print("port", listening.getsockname()[1], flush=True)
    yield
    print("closed", flush=True)


routes = [Route("/" + handler.__name__, handler) for handler in (shout, hold, release)]
listening = socket.create_server(("127.0.0.1", 0), backlog=100)
config = uvicorn.Config(Starlette(routes=routes, lifespan=lifespan), log_level="warning")
uvicorn.Server(config).run(sockets=[listening])
