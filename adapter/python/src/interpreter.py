import sys

# The folder that Python begins to look in is the program's: it may have a `json.py` of its own.
here = [sys.path.pop(0)] if sys.path and not sys.path[0] else []
import json
import os

sys.path[:0] = here


def found(name):
    # Without importing anything of it. Old interpreters have no such thing: their version is all that counts.
    try:
        from importlib.util import find_spec

        return find_spec(name)
    except (ImportError, ValueError):
        return None


def debugpy():
    spec = found("debugpy")
    if spec is None or not spec.origin:
        return None
    folder = os.path.dirname(spec.origin)
    return {"version": version_beside(folder), "folder": folder}


def version_beside(folder):
    # pip names a folder by it. `importlib.metadata` takes longer than all the rest here.
    prefix, end = "debugpy-", ".dist-info"
    for name in os.listdir(os.path.dirname(folder)):
        if name.startswith(prefix) and name.endswith(end):
            return name[len(prefix) : -len(end)]
    from importlib.metadata import version

    return version("debugpy")


try:
    known = debugpy()
except Exception:
    known = None
module = sys.argv[1].split(".")[0] if len(sys.argv) > 1 else None
print(
    json.dumps(
        {
            "version": sys.version_info[:2],
            "executable": sys.executable,
            "debugpy": known,
            "module": None if module is None else found(module) is not None,
        }
    )
)
