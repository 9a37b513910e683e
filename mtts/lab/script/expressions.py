"""Values and expressions: what may stand behind `name=`, inside `( )`, inside `{ }`, and behind `where`.

Binding, loosest first: `||`, `&&`, comparisons, `,`, `.`, `+ -`, `* / %`, then `- !` and `->`. MikroTik does not
publish an order, so a script that does not want to depend on it uses brackets.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mtts.lab.script import lexer as tokens
from mtts.lab.script.lexer import Lexer
from mtts.lab.script.nodes import (
    Binary,
    Elements,
    Expression,
    Literal,
    Property,
    Statement,
    Substitution,
    Text,
    Unary,
    Variable,
)
from mtts.lab.script.values import Empty, read_word

LEVELS: tuple[dict[str, str], ...] = (
    {"||": "||", "or": "||"},
    {"&&": "&&", "and": "&&"},
    {"!=": "!=", "<=": "<=", ">=": ">=", "=": "=", "<": "<", ">": ">", "~": "~", "in": "in"},
    {",": ","},
    {".": "."},
    {"+": "+", "-": "-"},
    {"*": "*", "/": "/", "%": "%"},
)
"""Operators as written -> as kept, loosest first; longer ones before those that they begin with."""
COMPARISONS = LEVELS[2]
CHAIN_LIMIT = 500
_VALUE = re.compile(r"[^\s;()\[\]{}\"$]+")
_ELEMENT = re.compile(r"[^\s;,()\[\]{}\"$=]+")
_PROPERTY = re.compile(r"\.?[A-Za-z][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)*")


class Expressions:
    """Reads expressions off a lexer; commands inside them are left to the parser of commands."""

    def __init__(self, lexer: Lexer, command: Callable[[], Statement]) -> None:
        self._lexer = lexer
        self._command = command

    # what stands behind `name=`

    def value(self, bare: re.Pattern[str] = _VALUE) -> Expression:
        """One value: a word, quoted text, a variable, something in brackets."""
        lexer = self._lexer
        enclosed = self._enclosed()
        if enclosed is not None:
            return enclosed
        word = lexer.match(bare)
        if word is None:
            raise lexer.error()
        return Literal(read_word(word[0]), word[0])

    def _enclosed(self) -> Expression | None:
        lexer = self._lexer
        match lexer.peek():
            case '"':
                return self.text()
            case "$":
                return self.variable()
            case "(":
                return self._bracketed()
            case "[":
                return self.substitution()
            case "{":
                return self._elements()
            case _:
                return None

    def text(self) -> Expression:
        """Text in quotes, with what it holds."""
        lexer = self._lexer
        lexer.expect('"')
        parts: list[Expression] = []
        while True:
            plain = lexer.plain_text()
            if plain:
                parts.append(Literal(plain, plain))
            if lexer.take('"'):
                break
            if lexer.peek(2) in {"$(", "$["}:
                lexer.take("$")
                parts.append(self._bracketed() if lexer.peek() == "(" else self.substitution())
            else:
                parts.append(self.variable())
        if any(not isinstance(part, Literal) for part in parts):
            return Text(tuple(parts))
        whole = "".join(part.text for part in parts if isinstance(part, Literal))
        return Literal(whole, whole)

    def variable(self) -> Variable:
        """`$name` or `$"any name"`."""
        self._lexer.expect("$")
        return Variable(self.name())

    def name(self) -> str:
        """A variable's name: letters and digits, anything in quotes."""
        lexer = self._lexer
        start = lexer.offset
        if lexer.take('"'):
            name = lexer.plain_text()
            if name and lexer.take('"'):
                return name
            raise lexer.error(offset=start)
        found = lexer.match(tokens.NAME)
        if found is None:
            raise lexer.error()
        return found[0]

    def substitution(self) -> Expression:
        """`[command]`; `[]` is nothing."""
        lexer = self._lexer
        lexer.expect("[")
        lexer.deeper()
        lexer.skip_space()
        if lexer.take("]"):
            lexer.shallower()
            return Literal(Empty.NOTHING, "")
        command = self._command()
        lexer.skip_space()
        lexer.expect("]")
        lexer.shallower()
        return Substitution(command)

    def _elements(self) -> Expression:
        lexer = self._lexer
        lexer.expect("{")
        lexer.deeper()
        items: list[tuple[str | None, Expression]] = []
        lexer.skip_space()
        while not lexer.take("}"):
            items.append(self._element())
            lexer.skip_space()
            if not lexer.take(";") and lexer.peek() != "}":
                raise lexer.error()
            lexer.skip_space()
        lexer.shallower()
        return Elements(tuple(items))

    def _element(self) -> tuple[str | None, Expression]:
        lexer = self._lexer
        first = self.value(_ELEMENT)
        if not isinstance(first, Literal) or not lexer.take("="):
            return None, first
        return first.text, self.value(_ELEMENT)

    # inside brackets

    def _bracketed(self) -> Expression:
        lexer = self._lexer
        lexer.expect("(")
        lexer.deeper()
        lexer.skip_space()
        if lexer.take(")"):
            lexer.shallower()
            return Literal(Empty.NOTHING, "")
        inner = self._level(0)
        lexer.skip_space()
        lexer.expect(")")
        lexer.shallower()
        return inner

    def _level(self, level: int) -> Expression:
        if level == len(LEVELS):
            return self._unary()
        left = self._level(level + 1)
        for _ in range(CHAIN_LIMIT):
            self._lexer.skip_space()
            operator = self._operator(LEVELS[level])
            if operator is None:
                return left
            self._lexer.skip_space()
            left = Binary(operator, left, self._level(level + 1))
        raise self._lexer.error("nested too deeply")

    def _operator(self, operators: dict[str, str]) -> str | None:
        lexer = self._lexer
        for written, kept in operators.items():
            if lexer.keyword(written) if written.isalpha() else lexer.take(written):
                return kept
        return None

    def _unary(self) -> Expression:
        lexer = self._lexer
        for operator in ("!", "-"):
            if lexer.take(operator):
                lexer.skip_space()
                lexer.deeper()
                operand = self._unary()
                lexer.shallower()
                return Unary(operator, operand)
        return self._postfix(self._operand())

    def _postfix(self, base: Expression) -> Expression:
        lexer = self._lexer
        for _ in range(CHAIN_LIMIT):
            mark = lexer.offset
            lexer.skip_space()
            if not lexer.take("->"):
                lexer.offset = mark
                return base
            lexer.skip_space()
            base = Binary("->", base, self.key())
        raise lexer.error("nested too deeply")

    def key(self) -> Expression:
        """What stands behind `->`."""
        return self._operand()

    def _operand(self) -> Expression:
        lexer = self._lexer
        enclosed = self._enclosed()
        if enclosed is not None:
            return enclosed
        start = lexer.offset
        word = lexer.match(tokens.OPERAND)
        value = read_word(word[0]) if word is not None else ""
        if word is None or isinstance(value, str):
            raise lexer.error(offset=start)
        return Literal(value, word[0])

    # behind where

    def where(self) -> Expression:
        """Conditions up to the end of the command; those that merely follow one another must all hold."""
        condition = self._any()
        self._lexer.skip_blanks()
        while not self._lexer.at_end():
            condition = Binary("&&", condition, self._any())
            self._lexer.skip_blanks()
        return condition

    def _any(self) -> Expression:
        return self._joined(LEVELS[0], lambda: self._joined(LEVELS[1], self._condition))

    def _joined(self, operators: dict[str, str], part: Callable[[], Expression]) -> Expression:
        left = part()
        while True:
            mark = self._lexer.offset
            self._lexer.skip_blanks()
            operator = self._operator(operators)
            if operator is None:
                self._lexer.offset = mark
                return left
            self._lexer.skip_blanks()
            left = Binary(operator, left, part())

    def _condition(self) -> Expression:
        lexer = self._lexer
        lexer.deeper()
        try:
            if lexer.take("!"):
                lexer.skip_blanks()
                return Unary("!", self._condition())
            if lexer.take("("):
                lexer.skip_space()
                inner = self._any()
                lexer.skip_space()
                lexer.expect(")")
                return inner
            return self._comparison()
        finally:
            lexer.shallower()

    def _comparison(self) -> Expression:
        lexer = self._lexer
        enclosed = self._enclosed()
        if enclosed is None:
            name = lexer.match(_PROPERTY)
            if name is None:
                raise lexer.error()
            enclosed = Property(name[0])
        mark = lexer.offset
        lexer.skip_blanks()
        operator = self._operator(COMPARISONS)
        if operator is None:
            lexer.offset = mark
            return enclosed
        lexer.skip_blanks()
        wanted = self.value(tokens.BARE_VALUE)
        if isinstance(wanted, Literal):
            wanted = Literal(wanted.text, wanted.text)  # its type is the property's
        return Binary(operator, enclosed, wanted)


def key_chain(expression: Expression) -> tuple[str, tuple[Expression, ...]] | None:
    """The variable and the keys of `$name->a->b`, None for anything else."""
    keys: list[Expression] = []
    while isinstance(expression, Binary) and expression.operator == "->":
        keys.append(expression.right)
        expression = expression.left
    return (expression.name, tuple(reversed(keys))) if isinstance(expression, Variable) else None
