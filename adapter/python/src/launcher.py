"""Starts a program under debugpy: `python debugpy_launcher.py <debugpy's folder> <what follows it on debugpy's command line>`.

As `python <debugpy's folder> …` does, but what is given as code runs as `__main__`, and two things that only cost time are left out: a
description of the environment with every package that is installed, which debugpy composes twice for a log that nobody has asked
for, the second time with the program already traced (0.4 s with 40 packages on Python 3.11); and 0.1 s that pydevd sleeps after it has
started its threads.

What debugpy calls `debugpy_launcher.py` it neither traces nor shows.
"""

import os
import sys
import types


def launch():
    folder = sys.argv.pop(1)
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        # Where this file lies. Python does not put it there then.
        del sys.path[0]
    sys.path.insert(0, os.path.dirname(folder))
    import debugpy

    del sys.path[0]
    from debugpy.server import cli

    if not is_logged():
        say_nothing()
    hurry()
    # In the place of the built-in function, with which debugpy runs code (`-c`) and nothing else.
    cli.eval = run_as_main
    # What is run as `__main__` (`-m`, `-c`) finds nothing of ours in it.
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv[0] = folder
    cli.main()


def run_as_main(code, _globals):
    """Runs code as Python's own `-c` does: its `__name__` is `__main__`, and what it defines is found there."""
    exec(code, sys.modules["__main__"].__dict__)


def is_logged():
    """Whether somebody reads debugpy's log."""
    return "DEBUGPY_LOG_DIR" in os.environ or "info" in os.environ.get("DEBUGPY_LOG_STDERR", "").split()


def say_nothing():
    from debugpy.common import log

    if hasattr(log, "describe_environment"):
        log.describe_environment = lambda header: None


def hurry():
    """Has pydevd go on as soon as its threads run: `Thread.start` has waited for that."""
    import pydevd

    connecting = getattr(pydevd.PyDB, "initialize_network", None)
    time = getattr(pydevd, "time", None)
    if connecting is None or time is None:
        return

    class Hurried:
        """The module `time`, for whom sleeps are over at once."""

        sleep = staticmethod(lambda seconds: None)

        def __getattr__(self, name):
            return getattr(time, name)

    def initialize_network(self, *arguments, **named):
        pydevd.time = Hurried()
        try:
            return connecting(self, *arguments, **named)
        finally:
            pydevd.time = time

    pydevd.PyDB.initialize_network = initialize_network


if __name__ == "__main__":
    launch()
