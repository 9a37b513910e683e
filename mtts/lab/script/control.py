"""The language's commands that need more than values: variables, branches, loops, errors, waiting, printing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mtts.lab.script.errors import ScriptError
from mtts.lab.script.functions import FUNCTIONS, number, time_of
from mtts.lab.script.host import Steps, StepsTo
from mtts.lab.script.machine import CHARACTERS_PER_COMMAND, Control, Exit, Machine, Return
from mtts.lab.script.nodes import Builtin
from mtts.lab.script.operators import effort, truth
from mtts.lab.script.parser import parse
from mtts.lab.script.scope import Scope
from mtts.lab.script.values import SECOND, Array, Code, Empty, Time, Value, array_of, show

DEFAULT_DELAY_S = 1.0


def _values(machine: Machine, node: Builtin, scope: Scope) -> StepsTo[dict[str, Value]]:
    found: dict[str, Value] = {}
    for name, expression in node.values.items():
        found[name] = yield from machine.evaluate(expression, scope)
    return found


def _holds(machine: Machine, node: Builtin, name: str, scope: Scope) -> StepsTo[bool]:
    value = yield from machine.evaluate(node.values[name], scope)
    return truth(value)


def _span_s(value: Value, name: str) -> float:
    span = time_of(value)
    if span is None or span.micros < 0:
        raise ScriptError(f"invalid value for argument {name}")
    return span.seconds


# variables


def _assigned(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    if "do" in node.blocks:
        return Code(node.blocks["do"], node.blocks["do"].source)
    if "value" in node.values:
        value = yield from machine.evaluate(node.values["value"], scope)
        return value
    return Empty.NOTHING


def _local(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    value = yield from _assigned(machine, node, scope)
    for name in node.names:
        scope.values[name] = value
    return Empty.NOTHING


def _global(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    value = yield from _assigned(machine, node, scope)
    for name in node.names:
        scope.global_names.add(name)
        if "value" in node.values or "do" in node.blocks or name not in machine.host.globals:
            machine.host.keep(name, value)
    return Empty.NOTHING


def _set(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    value = yield from _assigned(machine, node, scope)
    if node.target is not None:
        yield from machine.assign(node.target, value, scope)
    return Empty.NOTHING


# branches and loops


def _if(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    holds = yield from _holds(machine, node, "condition", scope)
    block = node.blocks.get("do" if holds else "else")
    if block is not None:
        yield from machine.block(block, Scope(scope))
    return Empty.NOTHING


def _while(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    while (yield from _holds(machine, node, "condition", scope)):
        yield from machine.pace()
        yield from machine.block(node.blocks["do"], Scope(scope))
    return Empty.NOTHING


def _do(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    try:
        while True:
            yield from machine.pace()
            yield from machine.block(node.blocks["command"], Scope(scope))
            if "while" not in node.values or not (yield from _holds(machine, node, "while", scope)):
                break
    except ScriptError:
        if "on-error" not in node.blocks:
            raise
        yield from machine.block(node.blocks["on-error"], Scope(scope))
    return Empty.NOTHING


def _for(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    values = yield from _values(machine, node, scope)
    first, last = number(values, "from"), number(values, "to")
    step = number(values, "step", 1 if first <= last else -1)
    if step == 0:
        raise ScriptError("invalid value for argument step")
    for count in range(first, last + (1 if step > 0 else -1), step):
        yield from machine.pace()
        yield from machine.block(node.blocks["do"], Scope(scope, dict.fromkeys(node.names, count)))
    return Empty.NOTHING


def _foreach(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    whole = yield from machine.evaluate(node.values["in"], scope)
    array = whole if isinstance(whole, Array) else array_of([] if isinstance(whole, Empty) else [whole])
    for key, element in array.pairs():
        yield from machine.pace()
        given: tuple[Value, ...] = (element,) if len(node.names) == 1 else (key, element)
        inner = Scope(scope, dict(zip(node.names, given, strict=False)))
        yield from machine.block(node.blocks["do"], inner)
    return Empty.NOTHING


# errors and the ways out


def _onerror(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    try:
        yield from machine.block(node.blocks["in"], Scope(scope))
    except ScriptError as error:
        inner = Scope(scope, dict.fromkeys(node.names, str(error)))
        yield from machine.block(node.blocks["do"], inner)
    return Empty.NOTHING


def _retry(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    values = yield from _values(machine, node, scope)
    pause_s, most = _span_s(values["delay"], "delay"), number(values, "max")
    for attempt in range(1, max(1, most) + 1):
        yield from machine.pace()
        try:
            yield from machine.block(node.blocks["command"], Scope(scope))
        except ScriptError:
            if attempt < most:
                yield from machine.wait_s(pause_s)
                continue
            if "on-error" not in node.blocks:
                raise
            yield from machine.block(node.blocks["on-error"], Scope(scope))
        break
    return Empty.NOTHING


def _error(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    message = yield from machine.evaluate(node.values["message"], scope)
    raise ScriptError(show(message))


def _return(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    values = yield from _values(machine, node, scope)
    raise Return(values.get("value", Empty.NOTHING))


def _exit(machine: Machine, _node: Builtin, _scope: Scope) -> Steps:
    yield from machine.pace()
    raise Exit


# time and the router


def _put(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    message = yield from machine.evaluate(node.values["message"], scope)
    machine.charge(effort(message))
    machine.host.put(show(message))
    return Empty.NOTHING


def _delay(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    values = yield from _values(machine, node, scope)
    span_s = _span_s(values["delay-time"], "delay-time") if "delay-time" in values else DEFAULT_DELAY_S
    yield from machine.wait_s(span_s)
    return Empty.NOTHING


def _time(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    began_s = machine.host.elapsed_s()
    yield from machine.block(node.blocks["command"], Scope(scope))
    return Time(round((machine.host.elapsed_s() - began_s) * SECOND))


def _parse(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    source = yield from machine.evaluate(node.values["value"], scope)
    machine.charge(len(show(source)) // CHARACTERS_PER_COMMAND)
    block = parse(show(source), machine.host.words)
    return Code(block, block.source)


def _random(machine: Machine, node: Builtin, scope: Scope) -> Steps:
    values = yield from _values(machine, node, scope)
    low, high = number(values, "from"), number(values, "to")
    if low > high:
        raise ScriptError("invalid value for argument to")
    return machine.host.random(low, high)


def _at_once(make: Callable[[Machine], Value]) -> Control:
    def control(machine: Machine, node: Builtin, scope: Scope) -> Steps:
        yield from _values(machine, node, scope)
        return make(machine)

    return control


def _function(name: str) -> Control:
    def control(machine: Machine, node: Builtin, scope: Scope) -> Steps:
        values = yield from _values(machine, node, scope)
        machine.charge(sum(map(effort, values.values())))
        return FUNCTIONS[name](values)

    return control


CONTROLS: Mapping[str, Control] = {
    "local": _local,
    "global": _global,
    "set": _set,
    "if": _if,
    "while": _while,
    "do": _do,
    "for": _for,
    "foreach": _foreach,
    "onerror": _onerror,
    "retry": _retry,
    "error": _error,
    "return": _return,
    "exit": _exit,
    "put": _put,
    "delay": _delay,
    "time": _time,
    "parse": _parse,
    "rndnum": _random,
    "jobname": _at_once(lambda machine: machine.host.name),
    "timestamp": _at_once(lambda machine: Time(round(machine.host.now_s() * SECOND))),
    **{name: _function(name) for name in FUNCTIONS},
}
