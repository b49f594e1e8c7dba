"""`run`: asyncio's, or that of the package that the environment names."""
import asyncio
import importlib
import os

package = os.environ.get("RUN_BY")
run = importlib.import_module(package).run if package else asyncio.run
