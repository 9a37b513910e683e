"""The API's query words (`?name=x`, `?-name`, `?>n=5`, `?#|!`): a little stack machine over one row.

Written from MikroTik's description of the API. Comparison is of strings, of numbers where both sides are
whole numbers. Regular expressions and `where` do not exist over the API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from mtts.lab.reply import Category, Trap

Test = Callable[[Mapping[str, str]], bool]

_OPERATION = re.compile(r"(\d+)(\.?)|([!&|.])")


def compile_query(words: Sequence[str]) -> Test:
    """One test from all query words of a sentence; Trap when a word or an operation cannot be read."""
    if not words:
        return lambda _: True
    steps: list[Test | str] = [word[1:] if word.startswith("#") else _comparison(word) for word in words]
    _run(steps, {})  # an underflow does not depend on the row: refuse it once, before any row is sent

    def test(row: Mapping[str, str]) -> bool:
        return all(_run(steps, row))

    return test


def _comparison(word: str) -> Test:
    if word.startswith("-"):
        absent = word[1:]
        return lambda row: absent not in row
    operator = word[0] if word[:1] in {"<", ">", "="} else "="
    name, equals, wanted = word.removeprefix(operator if word[:1] == operator else "").partition("=")
    if not name:
        raise Trap("invalid query word", Category.API)
    if not equals:
        return lambda row: name in row
    return lambda row: name in row and _compare(operator, row[name], wanted)


def _compare(operator: str, actual: str, wanted: str) -> bool:
    if operator == "=":
        return actual == wanted
    try:
        left, right = int(actual), int(wanted)
    except ValueError:
        return actual < wanted if operator == "<" else actual > wanted
    return left < right if operator == "<" else left > right


def _run(steps: Sequence[Test | str], row: Mapping[str, str]) -> list[bool]:
    stack: list[bool] = []
    for step in steps:
        if isinstance(step, str):
            stack = _operate(stack, step)
        else:
            stack.append(step(row))
    return stack


def _operate(stack: list[bool], operations: str) -> list[bool]:
    try:
        position = 0
        while position < len(operations):
            match = _OPERATION.match(operations, position)
            if match is None:
                raise Trap("invalid query operation", Category.API)
            position = match.end()
            index, _, operator = match.groups()
            if index is not None:
                value = stack[-1 - int(index)]
                stack = [value] if position == len(operations) and not match[2] else [*stack, value]
            elif operator == "!":
                stack[-1] = not stack[-1]
            elif operator == ".":
                stack.append(stack[-1])
            else:
                right, left = stack.pop(), stack.pop()
                stack.append(left and right if operator == "&" else left or right)
    except IndexError:
        raise Trap("invalid query operation", Category.API) from None
    return stack
