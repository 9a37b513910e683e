"""From a script's text to commands, checked against the words of one router; nothing runs here.

Menus are resolved while reading: `/container` on a line of its own holds to the end of its block, and a command
inside `[ ]` begins in the menu of the command around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mtts.lab.script import lexer as tokens
from mtts.lab.script.expressions import Expressions, key_chain
from mtts.lab.script.lexer import Lexer
from mtts.lab.script.nodes import Block, Builtin, Expression, FunctionCall, Literal, MenuCommand, Statement, Target
from mtts.lab.script.vocabulary import (
    FLAGS,
    NOT_MODELLED,
    PRINT_NOT_MODELLED,
    ROOT_COMMANDS,
    SOURCES,
    Kind,
    Parameter,
    Words,
    unnamed,
)

SOURCE_LIMIT = 64 * 1024
"""RouterOS takes scripts of up to 64 KB."""


def parse(source: str, words: Words) -> Block:
    """All of a script; ScriptSyntaxError at its first mistake."""
    lexer = Lexer(source)
    if len(source.encode("utf-8", "surrogateescape")) > SOURCE_LIMIT:
        raise lexer.error("script is too long")
    return Parser(lexer, words).script()


class Parser:
    """Reads one script."""

    def __init__(self, lexer: Lexer, words: Words) -> None:
        self._lexer = lexer
        self._words = words
        self._expressions = Expressions(lexer, self._substituted)
        self._path = "/"
        self._declared: list[set[str]] = [set()]

    def script(self) -> Block:
        """Everything up to the end of the text."""
        statements = self._statements("")
        if not self._lexer.peek() == "":
            raise self._lexer.error()
        return Block(statements, self._lexer.text)

    # blocks

    def _statements(self, end: str) -> tuple[Statement, ...]:
        lexer = self._lexer
        found: list[Statement] = []
        while True:
            lexer.skip_space()
            if lexer.skip_comment() or lexer.take(";"):
                continue
            if lexer.peek() == end:
                return tuple(found)
            statement = self._statement()
            if statement is not None:
                found.append(statement)
            lexer.skip_blanks()
            if not lexer.at_end():
                raise lexer.error("expected end of command")
            if lexer.peek() not in {"", end, ";", "\n", "\r"}:
                raise lexer.error()

    def _block(self, *, is_function: bool = False) -> Block:
        lexer = self._lexer
        start = lexer.offset
        lexer.expect("{")
        lexer.deeper()
        path, declared = self._path, self._declared
        self._declared = [set()] if is_function else [*declared, set()]
        statements = self._statements("}")
        source = lexer.text[start + 1 : lexer.offset]
        lexer.expect("}")
        self._path, self._declared = path, declared
        lexer.shallower()
        return Block(statements, source)

    @contextmanager
    def _within(self, path: str) -> Iterator[None]:
        outside, self._path = self._path, path
        self._declared = [*self._declared, set()]
        yield
        self._path = outside
        self._declared = self._declared[:-1]

    # commands

    def _statement(self) -> Statement | None:
        lexer = self._lexer
        at = lexer.position()
        if lexer.peek() == "{":
            return Builtin("do", at, blocks={"command": self._block()})
        return self._command()

    def _substituted(self) -> Statement:
        start = self._lexer.offset
        outside = self._path
        command = self._command()
        if command is None:
            self._path = outside
            raise self._lexer.error("expected command name", start)
        return command

    def _command(self) -> Statement | None:
        """One command; None for a mere change of menu."""
        lexer = self._lexer
        if lexer.peek() in {"$", "["}:
            return self._function_call()
        absolute = lexer.take(":") or lexer.take("/")
        menu = "/" if absolute else self._path
        descended = False
        while True:
            start = lexer.offset
            word = lexer.match(tokens.COMMAND_WORD)
            if word is None:
                lexer.skip_blanks()
                if not lexer.at_end() or not (absolute or descended):
                    raise lexer.error("expected command name" if descended else "syntax error", start)
                self._path = menu
                return None
            name = word[0]
            inner = f"{menu.rstrip('/')}/{name}"
            if self._words.is_menu(inner):
                menu, descended = inner, True
                if not lexer.take("/"):
                    lexer.skip_blanks()
                continue
            return self._resolved(menu, name, start, descended=descended)

    def _resolved(self, menu: str, name: str, start: int, *, descended: bool) -> Statement:
        lexer = self._lexer
        known = self._words.arguments(menu, name)
        if known is not None:
            return self._menu_command(menu, name, known, start)
        if not descended:
            parameters = self._words.builtin(name)
            if parameters is not None:
                return self._builtin(name, parameters, start)
            if name in ROOT_COMMANDS:
                menu, name = ROOT_COMMANDS[name]
                return self._menu_command(menu, name, self._words.arguments(menu, name) or frozenset(), start)
            if name in NOT_MODELLED:
                raise lexer.error(f"{name} is not modelled in the lab", start)
        raise lexer.error(f"bad command name {name}", start)

    def _function_call(self) -> Statement:
        lexer = self._lexer
        at = lexer.position()
        callee = self._expressions.variable() if lexer.peek() == "$" else self._expressions.substitution()
        listed: list[Expression] = []
        named: list[tuple[str, Expression]] = []
        while self._more():
            argument = lexer.match(tokens.ARGUMENT)
            if argument is None:
                listed.append(self._value())
            else:
                named.append((argument[1], self._value()))
        return FunctionCall(callee, at, tuple(listed), tuple(named))

    # the language's own commands

    def _builtin(self, name: str, parameters: tuple[Parameter, ...], start: int) -> Builtin:
        lexer = self._lexer
        by_name = {parameter.name: parameter for parameter in parameters}
        waiting = [parameter for parameter in parameters if not parameter.named_only]
        read = _Read()
        declared = self._declared
        if name not in {"local", "global", "set"}:
            self._declared = [*declared, set()]
        while self._more():
            place = lexer.offset
            argument = lexer.match(tokens.ARGUMENT)
            if argument is not None:
                parameter = by_name.get(argument[1])
            else:
                waiting = [one for one in waiting if one.name not in read.given]
                parameter = waiting.pop(0) if waiting else None
            if parameter is None or parameter.name in read.given:
                raise lexer.error("expected end of command", place)
            self._read(parameter, read)
        self._declared = declared
        missing = [one.name for one in parameters if not one.optional and one.name not in read.given]
        if missing:
            raise lexer.error(f"missing value(s) of argument(s) {' '.join(missing)}")
        return Builtin(name, lexer.position(start), read.names, read.values, read.blocks, read.target)

    def _read(self, parameter: Parameter, read: _Read) -> None:
        read.given.add(parameter.name)
        match parameter.kind:
            case Kind.NAME:
                read.names = self._names()
                self._declared[-1].update(read.names)
            case Kind.TARGET:
                read.target = self._target()
            case Kind.VALUE:
                read.values[parameter.name] = self._value()
            case Kind.BLOCK | Kind.FUNCTION:
                read.blocks[parameter.name] = self._block(is_function=parameter.kind is Kind.FUNCTION)

    def _names(self) -> tuple[str, ...]:
        names = [self._expressions.name()]
        while self._lexer.take(","):
            names.append(self._expressions.name())
        return tuple(names)

    def _target(self) -> Target:
        lexer = self._lexer
        start = lexer.offset
        if lexer.peek() == "(":
            chain = key_chain(self._expressions.value())
            if chain is None:
                raise lexer.error("expected variable name", start)
        else:
            chain = (self._expressions.name(), ())
        if not any(chain[0] in names for names in self._declared):
            raise lexer.error(offset=start)
        return Target(*chain)

    # the menus' commands

    def _menu_command(self, menu: str, verb: str, known: frozenset[str], start: int) -> MenuCommand:
        lexer = self._lexer
        at = lexer.position(start)
        args: dict[str, Expression] = {}
        where: Expression | None = None
        waiting = list(unnamed(verb, known))
        with self._within(menu):
            while self._more():
                place = lexer.offset
                if "where" in known and (verb == "find" or lexer.keyword("where")):
                    lexer.keyword("where")
                    lexer.skip_blanks()
                    where = None if lexer.at_end() else self._expressions.where()
                    break
                name = self._argument_name(known, waiting, args, place)
                if verb == "print" and name in PRINT_NOT_MODELLED:
                    raise lexer.error(f"print {name} is not modelled in the lab", place)
                waiting = [one for one in waiting if one != name]
                args[name] = self._argument_value(name, place)
        return MenuCommand(menu, verb, at, args, where)

    def _argument_name(self, known: frozenset[str], waiting: list[str], args: dict[str, Expression], place: int) -> str:
        lexer = self._lexer
        argument = lexer.match(tokens.ARGUMENT)
        if argument is not None:
            name = argument[1]
        else:
            word = lexer.match(tokens.WORD)
            if word is not None and word[0] in FLAGS | PRINT_NOT_MODELLED and word[0] in known:
                return word[0]
            lexer.offset = place
            if not waiting:
                raise lexer.error("expected end of command", place)
            return waiting[0]
        if name not in known or name in args:
            raise lexer.error("expected end of command", place)
        return name

    def _argument_value(self, name: str, place: int) -> Expression:
        lexer = self._lexer
        if lexer.offset > place and lexer.text[lexer.offset - 1] != "=":
            return Literal("", "")  # a flag
        if name in SOURCES and lexer.peek() == "{":
            source = self._block(is_function=True).source
            return Literal(source, source)
        return self._value()

    # arguments

    def _more(self) -> bool:
        """Step to the next argument, if there is one."""
        blank = self._lexer.skip_blanks()
        if self._lexer.at_end():
            return False
        if not blank and self._lexer.peek() not in '"$([{':
            raise self._lexer.error("expected end of command")
        return True

    def _value(self) -> Expression:
        lexer = self._lexer
        if lexer.at_end() or lexer.peek() in " \t":
            return Literal("", "")  # `name=` alone
        value = self._expressions.value()
        if not lexer.at_end() and lexer.peek() not in " \t\\":
            raise lexer.error()
        return value


class _Read:
    """What has been read of a command so far."""

    def __init__(self) -> None:
        self.given: set[str] = set()
        self.names: tuple[str, ...] = ()
        self.values: dict[str, Expression] = {}
        self.blocks: dict[str, Block] = {}
        self.target: Target | None = None
