"""Puts the probe into a program. weft has it executed as one statement, with `weft` as its only global.

weft = (host, port, token). The modules themselves come over the connection.
"""

import _imp
import json
import marshal
import os
import socket
import sys
import types

from _frozen_importlib_external import MAGIC_NUMBER


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
    run_by = sys.implementation.cache_tag, sys.hexversion, MAGIC_NUMBER.hex(), sys.flags.optimize
    file = kept and "%s.%s-%x-%s-%d" % (kept, *run_by)
    codes = load(file, len(modules)) if file else None
    if codes is None:
        codes = [compile(source, "<frozen _weft." + name + ">", "exec") for name, source in modules]
        if file:
            keep(file, codes)
    return codes


def load(file, count):
    """What is kept in a file, if it is whole and nobody but this user may have written it."""
    try:
        with open(file, "rb") as stream:
            stat = os.fstat(stream.fileno())
            if stat.st_uid != os.geteuid() or stat.st_mode & 0o022:
                return None
            sum_of, data = stream.read(8), stream.read()
        codes = marshal.loads(data) if sum_of == _imp.source_hash(count, data) else None
    except Exception:
        return None
    return codes if type(codes) is list and len(codes) == count else None


def keep(file, codes):
    """Keeps code for the next program. What goes wrong is as if nothing was kept."""
    own = "%s.%d-%s" % (file, os.getpid(), os.urandom(4).hex())
    try:
        data = marshal.dumps(codes)
        descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "wb") as stream:
                stream.write(_imp.source_hash(len(codes), data) + data)
            os.replace(own, file)
        except BaseException:
            os.unlink(own)
            raise
    except Exception:
        pass


boot(*weft)  # noqa: F821
