"""Runs parsed commands step by step; wherever time has to pass, it hands out what it waits for.

A run is a generator: whoever drives it decides when a wait is over, so scripts need no task of their own and
keep the lab's order of events. After so many commands without a wait it takes a moment of simulated time, so an
endless loop occupies its router and never the lab.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import compress

from mtts.lab.reply import Reply, Row, Trap
from mtts.lab.script.console import compare_property, readable, refine
from mtts.lab.script.errors import ScriptError
from mtts.lab.script.host import Delay, Host, Steps, StepsTo
from mtts.lab.script.nodes import (
    Binary,
    Block,
    Builtin,
    Elements,
    Expression,
    FunctionCall,
    Literal,
    MenuCommand,
    Property,
    Statement,
    Substitution,
    Target,
    Text,
    Unary,
    Variable,
)
from mtts.lab.script.operators import binary, bounded, effort, effort_of, truth, unary
from mtts.lab.script.scope import Scope
from mtts.lab.script.values import Array, Code, Empty, Value, argument_text, show

COMMANDS_PER_MOMENT = 2_000
CHARACTERS_PER_COMMAND, ROWS_PER_COMMAND = 50, 5
"""How much of an argument, which may be a script to be read, and how many rows cost as much time as a command."""
FIRST_MOMENT_S, LONGEST_MOMENT_S = 1.0, 64.0
"""How long so many commands take; longer each time while a script never waits by itself."""
DEPTH_LIMIT = 50


class Return(Exception):  # noqa: N818 - no error: the way out of a function
    """`:return`"""

    def __init__(self, value: Value) -> None:
        super().__init__()
        self.value = value


class Exit(Exception):  # noqa: N818 - no error: the way out of a script
    """`:exit`"""


class Machine:
    """One script on its way."""

    def __init__(self, host: Host, controls: Mapping[str, Control]) -> None:
        self.host = host
        self._controls = controls
        self._depth = 0
        self._spent = 0
        self._moment_s = FIRST_MOMENT_S
        self._row: Row | None = None

    def run(self, block: Block) -> Steps:
        """A whole script; its value is what `:return` gave."""
        try:
            yield from self.block(block, Scope())
        except Return as returned:
            return returned.value
        except Exit:
            pass
        return Empty.NOTHING

    def block(self, block: Block, scope: Scope) -> Steps:
        """The commands of a block, in a scope made for them."""
        with self._deeper():
            for statement in block.statements:
                yield from self.statement(statement, scope, is_value=False)
        return Empty.NOTHING

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._depth += 1
        try:
            if self._depth > DEPTH_LIMIT:
                raise ScriptError("nested too deeply")
            yield
        finally:
            self._depth -= 1

    def statement(self, statement: Statement, scope: Scope, *, is_value: bool) -> Steps:
        """One command; what it makes, printed instead where nobody asks for its value."""
        yield from self.pace()
        match statement:
            case Builtin(name=name):
                value = yield from self._controls[name](self, statement, scope)
                return value
            case MenuCommand():
                value = yield from self._menu_command(statement, scope, is_value=is_value)
                return value
            case FunctionCall():
                value = yield from self._function_call(statement, scope)
                return value

    def charge(self, commands: int) -> None:
        """Count work that is as much as so many commands."""
        self._spent += commands

    def pace(self) -> Steps:
        """Count a command or a turn of a loop; so many of them take a moment."""
        self._spent += 1
        if self._spent > COMMANDS_PER_MOMENT:
            yield Delay(self._moment_s)
            self._spent = 0
            self._moment_s = min(2 * self._moment_s, LONGEST_MOMENT_S)
        return Empty.NOTHING

    def wait_s(self, seconds: float) -> Steps:
        """Let simulated time pass."""
        if seconds > 0:
            yield Delay(seconds)
            self._waited()
        return Empty.NOTHING

    def _waited(self) -> None:
        self._spent = 0
        self._moment_s = FIRST_MOMENT_S

    # variables

    def look_up(self, name: str, scope: Scope) -> Value:
        """A variable's value; nothing when there is no such variable."""
        owner = scope.owner(name)
        if owner is None:
            return Empty.NOTHING
        if name in owner.values:
            return owner.values[name]
        return self.host.globals.get(name, Empty.NOTHING)

    def assign(self, target: Target, value: Value, scope: Scope) -> Steps:
        """Change a variable or an element inside it."""
        keys = []
        for key in target.keys:
            found = yield from self.evaluate(key, scope)
            keys.append(found)
        if keys:
            whole = self.look_up(target.name, scope)
            self.charge(effort(whole))
            value = _with_element(whole, keys, value)
        owner = scope.owner(target.name)
        if owner is not None and target.name in owner.values:
            owner.values[target.name] = value
        else:
            self.host.keep(target.name, value)
        return value

    # values

    def evaluate(self, node: Expression, scope: Scope) -> Steps:
        """What an expression is worth."""
        match node:
            case Literal(value=value):
                return value
            case Variable(name=name):
                return self._variable(name, scope)
            case Property(name=name):
                return readable(name, self._row or {})
            case Text(parts=parts):
                shown = []
                for part in parts:
                    value = yield from self.evaluate(part, scope)
                    self.charge(effort(value))
                    shown.append(show(value))
                return bounded("".join(shown))
            case Unary(operator=operator, operand=operand):
                value = yield from self.evaluate(operand, scope)
                return unary(operator, self._condition(value) if operator == "!" else value)
            case Binary():
                value = yield from self._binary(node, scope)
                return value
            case Elements(items=items):
                value = yield from self._elements(items, scope)
                return value
            case Substitution(command=command):
                value = yield from self._substitution(command, scope)
                return value
            case Block():
                return Code(node, node.source)

    def _variable(self, name: str, scope: Scope) -> Value:
        # inside `where` a property hides the variable of the same name, the classic trap
        if self._row is not None and name in self._row:
            return readable(name, self._row)
        return self.look_up(name, scope)

    def _binary(self, node: Binary, scope: Scope) -> Steps:
        chain = []
        left: Expression = node
        while isinstance(left, Binary):
            chain.append(left)
            left = left.left
        value = yield from self.evaluate(left, scope)
        for link in reversed(chain):
            right = yield from self.evaluate(link.right, scope)
            self.charge(effort_of(link.operator, value, right))
            if link.operator in {"&&", "||"}:
                value = binary(link.operator, self._condition(value), self._condition(right))
            elif self._row is not None and isinstance(link.left, Property):
                value = compare_property(link.operator, self._row.get(link.left.name), right)
            else:
                value = binary(link.operator, value, right)
        return value

    def _elements(self, items: tuple[tuple[str | None, Expression], ...], scope: Scope) -> Steps:
        listed: list[Value] = []
        keyed: dict[str, Value] = {}
        for key, node in items:
            value = yield from self.evaluate(node, scope)
            if key is None:
                listed.append(value)
            else:
                keyed[key] = value
        return Array(tuple(listed), tuple(sorted(keyed.items(), key=lambda pair: pair[0])))

    def _substitution(self, command: Statement, scope: Scope) -> Steps:
        row, self._row = self._row, None
        try:
            with self._deeper():
                value = yield from self.statement(command, scope, is_value=True)
        finally:
            self._row = row
        return value

    # commands

    def _function_call(self, node: FunctionCall, scope: Scope) -> Steps:
        code = yield from self.evaluate(node.callee, scope)
        inner = Scope()
        for number, argument in enumerate(node.listed, start=1):
            inner.values[str(number)] = yield from self.evaluate(argument, scope)
        for name, argument in node.named:
            inner.values[name] = yield from self.evaluate(argument, scope)
        if not isinstance(code, Code):
            if isinstance(node.callee, Variable) or node.listed or node.named:
                raise ScriptError("not a function")
            return code
        try:
            yield from self.block(code.block, inner)
        except Return as returned:
            return returned.value
        return Empty.NOTHING

    def _menu_command(self, command: MenuCommand, scope: Scope, *, is_value: bool) -> Steps:
        args: dict[str, str] = {}
        for name, node in command.args.items():
            if isinstance(node, Literal):
                args[name] = node.text
            else:
                value = yield from self.evaluate(node, scope)
                args[name] = argument_text(value)
        self.charge(sum(map(len, args.values())) // CHARACTERS_PER_COMMAND)
        try:
            answer = self.host.perform(command, args)
            reply = answer if isinstance(answer, Reply) else (yield answer)
        except Trap as trap:
            raise ScriptError(trap.message) from None
        if reply is None:
            raise ScriptError("interrupted")
        if not isinstance(answer, Reply):
            self._waited()
        rows = reply.rows
        self.charge(len(rows) // ROWS_PER_COMMAND)
        if command.where is not None:
            rows = yield from self._narrowed(rows, command.where, scope)
        try:
            outcome = refine(self.host.words, command, args, rows, reply.ret)
        except Trap as trap:
            raise ScriptError(trap.message) from None
        if outcome.printed and (outcome.value is None or not is_value):
            self.host.put(outcome.printed)
        return Empty.NOTHING if outcome.value is None else outcome.value

    def _narrowed(self, rows: Sequence[Row], where: Expression, scope: Scope) -> StepsTo[Sequence[Row]]:
        verdicts = []
        for row in rows:
            yield from self.pace()
            fits = yield from self._fits(where, row, scope)
            verdicts.append(fits)
        return list(compress(rows, verdicts))

    def _fits(self, where: Expression, row: Row, scope: Scope) -> StepsTo[bool]:
        outside, self._row = self._row, row
        try:
            value = yield from self.evaluate(where, scope)
            return truth(self._condition(value))
        finally:
            self._row = outside

    def _condition(self, value: Value) -> Value:
        """Inside `where` a property that is no boolean holds when it is there."""
        return value if self._row is None or isinstance(value, (bool, Empty)) else show(value) != ""


Control = Callable[[Machine, Builtin, Scope], Steps]


def _with_element(whole: Value, keys: list[Value], value: Value) -> Value:
    if not keys:
        return value
    if isinstance(whole, Empty):
        whole = Array()
    if not isinstance(whole, Array):
        raise ScriptError("cannot set an element of what is no array")
    return whole.replaced(keys[0], _with_element(whole.at(keys[0]), keys[1:], value))
