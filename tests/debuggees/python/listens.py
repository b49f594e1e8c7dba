"""Has debugpy listen on a free port, prints it, waits for a debugger, and becomes the script that it is told."""
import runpy
import sys

import debugpy

port = debugpy.listen(("127.0.0.1", 0))[1]
print(port, flush=True)
debugpy.wait_for_client()
sys.argv[:] = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
