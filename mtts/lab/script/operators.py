"""What operators make of two values; the error texts are those of RouterOS where one is known.

Nothing is converted on the way: text is no number, and comparing one with the other for order is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from mtts.lab.script.errors import ScriptError
from mtts.lab.script.pattern import RegexpError
from mtts.lab.script.regexp import read_regexp
from mtts.lab.script.values import TEXT_LIMIT, Array, Empty, Time, Value, show, span, type_of, wrapped

STEPS_PER_COMMAND, SIZE_PER_COMMAND, TEXT_PER_COMMAND = 100, 1_000, 50_000
"""How many steps of a search, how much of an array and how many characters cost as much time as a plain command."""
LONG_NAMES = {
    "num": "integer number",
    "str": "string",
    "bool": "boolean",
    "time": "time interval",
    "ip": "ip address",
    "id": "internal number",
}


def unary(operator: str, value: Value) -> Value:
    """`-x` and `!x`."""
    if operator == "!":
        return not truth(value)
    if isinstance(value, Time):
        return Time(-value.micros)
    if isinstance(value, int) and not isinstance(value, bool):
        return wrapped(-value)
    raise ScriptError(f"cannot negate {_long_name(value)}")


def binary(operator: str, left: Value, right: Value) -> Value:
    """The value of `left operator right`; ScriptError where the two do not go together."""
    return OPERATIONS[operator](left, right)


def effort(value: Value) -> int:
    """How many plain commands looking at a value is as much work as."""
    if isinstance(value, Array):
        return value.size // SIZE_PER_COMMAND
    return len(value) // TEXT_PER_COMMAND if isinstance(value, str) else 0


def effort_of(operator: str, left: Value, right: Value) -> int:
    """How many plain commands an operation is as much work as."""
    if operator == "~" and isinstance(right, str):
        return len(show(left)) * len(right) // STEPS_PER_COMMAND
    return effort(left) + effort(right)


def truth(value: Value) -> bool:
    """A condition's outcome: booleans say it, no value is false, anything else is no condition."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Empty):
        return False
    raise ScriptError("conditional not boolean")


def equal(left: Value, right: Value) -> bool:
    """Whether two values are of the same type and the same; no value equals empty text."""
    if isinstance(left, Empty) or isinstance(right, Empty):
        return show(left) == show(right) and all(isinstance(one, (Empty, str)) for one in (left, right))
    return type_of(left) == type_of(right) and left == right


def bounded(text: str) -> str:
    """Text, unless it is more than a script of the lab may hold."""
    if len(text) > TEXT_LIMIT:
        raise ScriptError("out of memory: the text is too long")
    return text


def _is_number(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _long_name(value: Value) -> str:
    kind = type_of(value)
    return LONG_NAMES.get(kind, kind)


def _add(left: Value, right: Value) -> Value:
    match left, right:
        case Time(a), Time(b):
            return span(a + b)
        case int(), int() if _is_number(left) and _is_number(right):
            return wrapped(left + right)
        case ((IPv4Address() | IPv6Address()), int()) if _is_number(right) and not _is_prefix(left):
            return _moved(left, right)
        case _:
            raise ScriptError(f"cannot add {_long_name(left)} to {_long_name(right)}")


def _subtract(left: Value, right: Value) -> Value:
    match left, right:
        case Time(a), Time(b):
            return span(a - b)
        case int(), int() if _is_number(left) and _is_number(right):
            return wrapped(left - right)
        case ((IPv4Address() | IPv6Address()), int()) if _is_number(right) and not _is_prefix(left):
            return _moved(left, -right)
        case _:
            raise ScriptError(f"cannot subtract {_long_name(right)} from {_long_name(left)}")


def _moved(address: IPv4Address | IPv6Address, by: int) -> Value:
    try:
        return address + by
    except ValueError:
        raise ScriptError("address out of range") from None


def _is_prefix(value: Value) -> bool:
    return isinstance(value, (IPv4Interface, IPv6Interface))


def _multiply(left: Value, right: Value) -> Value:
    match left, right:
        case Time(micros), int() if _is_number(right):
            return span(micros * right)
        case int(), Time(micros) if _is_number(left):
            return span(micros * left)
        case int(), int() if _is_number(left) and _is_number(right):
            return wrapped(left * right)
        case _:
            raise ScriptError(f"cannot multiply {_long_name(left)} by {_long_name(right)}")


def _divide(left: Value, right: Value) -> Value:
    match left, right:
        case ((int() | Time()), int()) if _is_number(right) and not isinstance(left, bool):
            if right == 0:
                raise ScriptError("division by zero")
            whole = left.micros if isinstance(left, Time) else left
            quotient = abs(whole) // abs(right) * (1 if (whole < 0) == (right < 0) else -1)
            return Time(quotient) if isinstance(left, Time) else wrapped(quotient)
        case _:
            raise ScriptError(f"cannot divide {_long_name(left)} by {_long_name(right)}")


def _remainder(left: Value, right: Value) -> Value:
    match left, right:
        case int(), int() if _is_number(left) and _is_number(right):
            if right == 0:
                raise ScriptError("division by zero")
            return wrapped(abs(left) % abs(right) * (-1 if left < 0 else 1))
        case _:
            raise ScriptError(f"cannot divide {_long_name(left)} by {_long_name(right)}")


def _joined(left: Value, right: Value) -> Value:
    if isinstance(left, Array) or isinstance(right, Array):
        raise ScriptError("joining arrays with . is not modelled in the lab, use ,")
    return bounded(show(left) + show(right))


def _listed(left: Value, right: Value) -> Value:
    first, second = (one if isinstance(one, Array) else Array((one,)) for one in (left, right))
    keyed = {**dict(first.keyed), **dict(second.keyed)}
    return Array((*first.listed, *second.listed), tuple(sorted(keyed.items(), key=lambda pair: pair[0])))


def _order(test: Callable[[int], bool], words: str) -> Callable[[Value, Value], Value]:
    def compare(left: Value, right: Value) -> Value:
        if type_of(left) == type_of(right):
            match left, right:
                case bool(), _:
                    pass
                case Time(a), Time(b):
                    return test((a > b) - (a < b))
                case (int(), int()) | (str(), str()) | (IPv4Address(), IPv4Address()) | (IPv6Address(), IPv6Address()):
                    return test((left > right) - (left < right))  # type: ignore[operator]  # of one type, see above
        raise ScriptError(f"cannot compare if {_long_name(left)} is {words} {_long_name(right)}")

    return compare


def _matches(left: Value, right: Value) -> Value:
    if not isinstance(right, str):
        raise ScriptError(f"cannot match {_long_name(left)} with {_long_name(right)}")
    try:
        return read_regexp(right).is_in(show(left))
    except RegexpError as error:
        raise ScriptError(f"bad regexp: {error}") from None


def _is_in(left: Value, right: Value) -> Value:
    if isinstance(right, Array):
        return any(equal(left, element) for element in right.elements())
    if isinstance(right, (IPv4Interface, IPv6Interface)) and isinstance(left, (IPv4Address, IPv6Address)):
        return left in right.network
    raise ScriptError(f"cannot tell if {_long_name(left)} is in {_long_name(right)}")


def _at(left: Value, right: Value) -> Value:
    if isinstance(left, Empty):
        return Empty.NOTHING
    if not isinstance(left, Array):
        raise ScriptError(f"cannot take an element of {_long_name(left)}")
    return left.at(right)


OPERATIONS: dict[str, Callable[[Value, Value], Value]] = {
    # both sides are always worked out: whether RouterOS stops at the first is not published
    "||": lambda left, right: truth(left) or truth(right),
    "&&": lambda left, right: truth(left) and truth(right),
    "=": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": _order(lambda sign: sign < 0, "less than"),
    ">": _order(lambda sign: sign > 0, "more than"),
    "<=": _order(lambda sign: sign <= 0, "less than or equal to"),
    ">=": _order(lambda sign: sign >= 0, "more than or equal to"),
    "~": _matches,
    "in": _is_in,
    ",": _listed,
    ".": _joined,
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "%": _remainder,
    "->": _at,
}
