"""Tells what it knows of itself."""

import json
import os
import sys

print(
    json.dumps(
        {
            "name": __name__,
            "file": globals().get("__file__"),
            "arguments": sys.argv,
            "path": [os.path.abspath(folder) for folder in sys.path],
            "globals": [name for name in globals() if not name.startswith("__")],
            "modules": [name for name in sys.modules if "launcher" in name],
        }
    )
)
