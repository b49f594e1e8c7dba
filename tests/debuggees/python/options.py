"""Tells how it was started."""
import json
import os
import sys

started = {
    "args": sys.argv[1:],
    "cwd": os.getcwd(),
    "variables": [os.environ.get(name) for name in ("WEFT_A", "WEFT_B", "HOME")],
    "flags": [sys.flags.utf8_mode, sys.flags.dont_write_bytecode, sys.flags.dev_mode],
    "debug": os.environ.get("PYTHONASYNCIODEBUG"),
}
print(json.dumps(started), flush=True)  # BP: told
