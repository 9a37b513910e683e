"""What a parsed script is made of: frozen values without behaviour, each command with its place in the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mtts.lab.script.errors import Position
from mtts.lab.script.values import Value


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written; `text` is the very word, for menus that want it unchanged."""

    value: Value
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """Text in quotes that holds variables, expressions or commands."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`"""

    name: str


@dataclass(frozen=True, slots=True)
class Property:
    """An item's property inside a `where`."""

    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x`, `!x`"""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """`x + y` and the like, `x->y` too."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Elements:
    """`{a; b; key=c}`"""

    items: tuple[tuple[str | None, Expression], ...]


@dataclass(frozen=True, slots=True)
class Substitution:
    """`[command]`"""

    command: Statement


@dataclass(frozen=True, slots=True)
class Block:
    """`{ commands }`, or a whole script; `source` is the text between the braces."""

    statements: tuple[Statement, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Target:
    """What `:set` changes: a variable, or an element somewhere inside it."""

    name: str
    keys: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Builtin:
    """A command of the language itself."""

    name: str
    at: Position
    names: tuple[str, ...] = ()
    """The variables that it declares."""
    values: Mapping[str, Expression] = field(default_factory=dict)
    blocks: Mapping[str, Block] = field(default_factory=dict)
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class MenuCommand:
    """A command of a menu; `where` narrows `find` and `print`."""

    menu: str
    verb: str
    at: Position
    args: Mapping[str, Expression]
    where: Expression | None = None

    @property
    def path(self) -> str:
        """The command's full name."""
        return f"{self.menu.rstrip('/')}/{self.verb}"


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """`$function x y name=z`, `[:parse "…"]`"""

    callee: Expression
    at: Position
    listed: tuple[Expression, ...]
    named: tuple[tuple[str, Expression], ...]


Expression = Literal | Text | Variable | Property | Unary | Binary | Elements | Substitution | Block
Statement = Builtin | MenuCommand | FunctionCall
