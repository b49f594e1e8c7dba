"""Puts the probe into a program. weft has it executed as one statement, with `weft` as its only global.

weft = (host, port, token). The modules themselves come over the connection.
"""

import json
import marshal
import os
import socket
import sys
import types


def boot(host, port, token):
    """Connects to weft, makes the modules it sends, and starts the probe in a thread of its own."""
    connection = socket.create_connection((host, port), timeout=10)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(json.dumps({"token": token}).encode() + b"\n")
        stream = connection.makefile("rb")
        sent = json.loads(stream.readline())
        package = sys.modules.get("_weft")
        if package is None:
            package = make(sent["modules"], sent["compiled"])
        package.start.start(connection, stream, sent["options"])
    except BaseException as problem:
        said = {"failed": f"{type(problem).__name__}: {problem}"[:1000]}
        connection.sendall(json.dumps(said).encode() + b"\n")
        connection.close()
        raise


def make(modules, kept):
    """A package of the modules that were sent, each after those it leans on."""
    package = types.ModuleType("_weft", "weft's probe.")
    package.__path__ = []
    sys.modules["_weft"] = package
    try:
        for (name, _), code in zip(modules, compiled(modules, kept)):
            module = types.ModuleType("_weft." + name)
            module.__package__ = "_weft"
            sys.modules[module.__name__] = module
            exec(code, module.__dict__)
            setattr(package, name, module)
    except BaseException:
        for name in [name for name in sys.modules if name.partition(".")[0] == "_weft"]:
            del sys.modules[name]
        raise
    return package


def compiled(modules, kept):
    """The code of the modules: as an earlier program has kept it, if that was run by the same interpreter; else compiled.

    pydevd neither traces nor shows code whose file begins with `<frozen `.
    """
    file = kept and "%s.%s-%x-%d" % (kept, sys.implementation.cache_tag, sys.hexversion, sys.flags.optimize)
    if file:
        try:
            with open(file, "rb") as stream:
                return marshal.load(stream)
        except (OSError, EOFError, ValueError, TypeError):
            pass
    codes = [compile(source, "<frozen _weft." + name + ">", "exec") for name, source in modules]
    if file:
        try:
            own = "%s.%d" % (file, os.getpid())
            with open(own, "wb") as stream:
                marshal.dump(codes, stream)
            os.replace(own, file)
        except OSError:
            pass
    return codes


boot(*weft)  # noqa: F821
