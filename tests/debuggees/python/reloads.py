"""Serves the application `app` of a folder by uvicorn with its autoreloader; says each time when that has looked at the files."""
import sys

import uvicorn
from uvicorn.supervisors.statreload import StatReload

look = StatReload.should_restart


def should_restart(self):
    found = look(self)
    print("looked", flush=True)
    return found


if __name__ == "__main__":
    StatReload.should_restart = should_restart
    folder = sys.argv[1]
    uvicorn.run("app:app", app_dir=folder, reload=True, reload_dirs=[folder], port=0, lifespan="off", use_colors=False)
