"""Breakpoints' terms that pydevd has no words for: the task that hits them, and a condition and a count together.

pydevd is given `__import__("_weft").terms.holds(…, globals(), locals())` as the condition. What the user wrote is
compiled once."""

from __future__ import annotations

import ast
import threading
import types
import weakref
from typing import Any

from .link import answers, tell
from .objects import exception_text, name_of
from .roster import current_task, known, record_of

#: Seconds that weft may take to say a task's number.
_PATIENCE = 5.0
#: Conditions that are kept compiled.
_MOST = 1000
_FIELDS = ("id", "name", "runtime_id")

_codes: dict[str, types.CodeType] = {}
_counts: dict[str, int] = {}
#: The numbers that the user knows tasks by, by the probe's; and who waits for one.
_numbers: dict[int, int] = {}
_told = threading.Condition()
_focus: Any = None


def holds(source: str, hits: str, in_focus: bool, place: str, scope: dict[str, Any], variables: dict[str, Any]) -> bool:
    """Whether a breakpoint's terms hold for this hit. What cannot be evaluated stops, and is told."""
    if in_focus and (_focus is None or current_task() is not _focus()):
        return False
    try:
        if source and not eval(compiled(source), scope, {**variables, "__weft_task__": Field(scope, variables)}):
            return False
        if not hits:
            return True
        with _told:
            count = _counts[place] = _counts.get(place, 0) + 1
        return _counts_as(hits, count)
    except NoTask:
        return False
    except Exception as failure:
        terms = " and ".join(f"`{term}`" for term in (source, hits) if term)
        message = f"the condition {terms} cannot be evaluated, so the program stops: {exception_text(failure)}"
        tell({"event": "terms", "message": message})
        return True


def _counts_as(hits: str, count: int) -> bool:
    """Whether the hit of that number stops: `5`, `== 5`, `>= 5`, `% 3`."""
    for sign, is_so in _SIGNS:
        if hits.startswith(sign):
            return is_so(count, int(hits[len(sign) :]))
    return count == int(hits)


_SIGNS: list[tuple[str, Any]] = [
    (">=", lambda count, wanted: count >= wanted),
    ("<=", lambda count, wanted: count <= wanted),
    ("==", lambda count, wanted: count == wanted),
    (">", lambda count, wanted: count > wanted),
    ("<", lambda count, wanted: count < wanted),
    ("%", lambda count, wanted: wanted > 0 and count % wanted == 0),
]


class NoTask(Exception):
    """A task is asked for where none runs."""


class Field:
    """What stands for `task.id`, `task.name` and `task.runtime_id`: a variable of the program's own comes first."""

    __slots__ = ("scope", "variables", "task")

    def __init__(self, scope: dict[str, Any], variables: dict[str, Any], task: Any = None) -> None:
        self.scope = scope
        self.variables = variables
        self.task = task

    def __call__(self, field: str) -> Any:
        for names in (self.variables, self.scope):
            if "task" in names:
                if hasattr(names["task"], field):
                    return getattr(names["task"], field)
                break
        return of_task(field, self.task if self.task is not None else current_task())


def of_task(field: str, task: Any) -> Any:
    """A field of a task, as a rule of the one that this thread runs."""
    if task is None:
        raise NoTask("no task runs here")
    if field == "id":
        return _number(task)
    name = name_of(task)
    if field == "name":
        return name
    number = name.removeprefix("Task-")
    return int(number) if number != name and number.isdecimal() else None


def in_message(field: str, scope: dict[str, Any], variables: dict[str, Any]) -> Any:
    """A field of the task, for a message."""
    try:
        return Field(scope, variables)(field)
    except NoTask:
        return "no task"


def holds_for(source: str, scope: dict[str, Any], variables: dict[str, Any], task: Any) -> bool:
    """Whether a condition holds for an exception; `task`: the one that has ended with it, if it is none that runs."""
    try:
        return bool(eval(compiled(source), scope, {**variables, "__weft_task__": Field(scope, variables, task)}))
    except NoTask:
        return False
    except Exception as failure:
        message = f"the condition `{source}` cannot be evaluated, so the program stops: {exception_text(failure)}"
        tell({"event": "terms", "message": message})
        return True


def compiled(source: str) -> types.CodeType:
    """What a condition is made of."""
    code = _codes.get(source)
    if code is None:
        tree = _Names().visit(ast.parse(source.strip(), "<condition>", "eval"))
        code = compile(ast.fix_missing_locations(tree), "<condition>", "eval", dont_inherit=True)
        if len(_codes) >= _MOST:
            _codes.clear()
        _codes[source] = code
    return code


class _Names(ast.NodeTransformer):
    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if type(node.value) is ast.Name and node.value.id == "task" and node.attr in _FIELDS:
            call = ast.Call(ast.Name("__weft_task__", ast.Load()), [ast.Constant(node.attr)], [])
            return ast.copy_location(call, node)
        self.generic_visit(node)
        return node


def _number(task: Any) -> int:
    """The number that the user knows a task by; weft is asked for it once."""
    own = record_of(task).number
    if own not in _numbers:
        tell({"event": "number", "task": [id(task), own]})
        with _told:
            if not _told.wait_for(lambda: own in _numbers, _PATIENCE):
                raise TimeoutError("weft does not say the task's number")
    return _numbers[own]


@answers("numbered")
def numbered(task: int, number: int) -> None:
    """Weft says by which number the user knows a task."""
    with _told:
        _numbers[task] = number
        _told.notify_all()


def look_at(task: Any) -> None:
    """The user looks at this task from now on."""
    global _focus
    _focus = weakref.ref(task) if task is not None else None


@answers("focus")
def focus(address: int, number: int) -> None:
    """The user has chosen a task."""
    task = known(address, number)
    if task is not None:
        look_at(task)
