"""A program that looks at itself, by `sys.settrace` or as a tool of `sys.monitoring`."""

import asyncio
import sys

lines = []


def trace(frame, event, argument):
    if frame.f_code.co_name == "work":
        if event == "line":
            lines.append(frame.f_lineno - first)
        return trace
    return None


def monitor(code, line):
    if code.co_name == "work":
        lines.append(line - first)
        return None
    return sys.monitoring.DISABLE


async def work(number):
    total = number
    for step in range(2):  # BP: loop
        await asyncio.sleep(0)
        total += step  # BP: adds
    return total


first = work.__code__.co_firstlineno


async def main():
    if "settrace" in sys.argv:
        sys.settrace(trace)  # BP: settrace
    else:
        tool = sys.monitoring.PROFILER_ID
        sys.monitoring.use_tool_id(tool, "counts lines")
        sys.monitoring.register_callback(tool, sys.monitoring.events.LINE, monitor)
        sys.monitoring.set_events(tool, sys.monitoring.events.LINE)
    total = await asyncio.create_task(work(5), name="work")  # BP: work
    sys.settrace(None) if "settrace" in sys.argv else sys.monitoring.free_tool_id(sys.monitoring.PROFILER_ID)
    print(f"total {total}")  # BP: over
    print(*lines)


asyncio.run(main())
