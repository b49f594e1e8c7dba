"""The calls on a line that a step can go into: those of the user's functions, by what the names on the line mean.

What runs later, because it was given to `gather` or `create_task`, is one of them.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

#: Longer expressions are cut.
_LONGEST = 80
#: Files that are kept parsed.
_MOST = 50

_parsed: dict[str, tuple[tuple[str, ...], ast.AST]] = {}


class Called(NamedTuple):
    """A call on a line."""

    text: str
    file: str
    line: int
    code: types.CodeType
    #: How many calls of the same function come before it on the line.
    before: int


def calls(frame: types.FrameType, is_users: Callable[[types.CodeType], bool]) -> list[Called]:
    """The calls of the user's functions on the line of a frame that are not over, in the order in which they are
    called."""
    found: list[Called] = []
    ahead = _ahead(frame)
    for call in _calls(_statement(frame)):
        if (call.lineno, call.end_lineno, call.col_offset, call.end_col_offset) not in ahead:
            continue
        code = _code(_meant(call.func, frame))
        if code is not None and is_users(code):
            text = ast.unparse(call)
            text = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
            before = sum(1 for other in found if other.code is code)
            found.append(Called(text, frame.f_code.co_filename, call.lineno, code, before))
    return found


def _ahead(frame: types.FrameType) -> set[tuple[Any, ...]]:
    """The places in the source of the instructions that a frame has still before it."""
    positions = getattr(frame.f_code, "co_positions", None)
    if positions is None:
        return set()
    ahead = set()
    for at, (line, end_line, column, end_column) in enumerate(positions()):
        if at * 2 > frame.f_lasti and line is not None:
            ahead.add((line, end_line, column, end_column))
    return ahead


def _statement(frame: types.FrameType) -> list[ast.AST]:
    """What a frame executes now: the statement of its line, without the statements in it."""
    tree = _tree(frame.f_code.co_filename, frame.f_globals)
    at: ast.AST | None = None
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.stmt) and node.lineno <= frame.f_lineno <= (node.end_lineno or node.lineno):
            # Inner ones come later.
            at = node
    if at is None:
        return []
    return [child for child in ast.iter_child_nodes(at) if not isinstance(child, (ast.stmt, ast.excepthandler))]


def _tree(file: str, scope: dict[str, Any]) -> ast.AST | None:
    lines = tuple(linecache.getlines(file, scope))
    known = _parsed.get(file)
    if known is not None and known[0] == lines:
        return known[1]
    try:
        # Columns of code are counted in bytes, as the parser's are.
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError, RecursionError):
        return None
    if len(_parsed) >= _MOST:
        _parsed.clear()
    _parsed[file] = (lines, tree)
    return tree


def _calls(nodes: list[ast.AST]) -> Iterator[ast.Call]:
    """Calls, those of arguments before those that they are given to."""
    for node in nodes:
        if isinstance(node, (ast.Lambda, ast.stmt)):
            continue
        yield from _calls(list(ast.iter_child_nodes(node)))
        if isinstance(node, ast.Call):
            yield node


def _meant(expression: ast.expr, frame: types.FrameType) -> Any:
    """What a name, or a name of a name, means in a frame; None where a value's own code would have to be asked."""
    if isinstance(expression, ast.Name):
        for names in (frame.f_locals, frame.f_globals, vars(builtins)):
            if expression.id in names:
                return names[expression.id]
    elif isinstance(expression, ast.Attribute):
        owner = _meant(expression.value, frame)
        if owner is not None:
            return inspect.getattr_static(owner, expression.attr, None)
    return None


def _code(meant: Any) -> types.CodeType | None:
    """The code that a call of something executes."""
    if isinstance(meant, (staticmethod, classmethod)):
        meant = meant.__func__
    if type(meant) is types.MethodType:
        meant = meant.__func__
    if isinstance(meant, type):
        meant = inspect.getattr_static(meant, "__init__", None)
    return meant.__code__ if type(meant) is types.FunctionType else None
