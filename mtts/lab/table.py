"""Menus that hold items, and menus that hold one set of values: what all of them have in common.

Words are checked against the command tree before a menu sees them. Here values are brought into the form
that a router stores, items are found by `.id` or name, and hooks let a family add its own rules. `.id`s are
never given out twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mtts.lab import forms, hints, values
from mtts.lab.call import Call, Handler, Menu, list_rows
from mtts.lab.command import SPECIAL_SELECTORS
from mtts.lab.reply import DONE, Category, Reply, Row, Trap, failure, invalid_value, no_match, no_such_item

if TYPE_CHECKING:
    from mtts.lab.device import Device

NOT_PROPERTIES = frozenset({*SPECIAL_SELECTORS, "copy-from", "place-before"})


@dataclass(frozen=True, slots=True)
class TableSpec:
    """What distinguishes one table from another, as data."""

    path: str
    defaults: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    """Defaults of arguments; where a version does not know the argument, the property does not exist."""
    required: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    """Properties that have a value of their own when none is given, and never lose it."""
    booleans: frozenset[str] = frozenset({"disabled"})
    unique: tuple[str, ...] = ()
    unique_text: str = "already have such item"
    interface_properties: tuple[str, ...] = ()
    """Properties that name an interface, which must exist."""
    interface_matchers: tuple[str, ...] = ()
    """The same in rules, where `!` in front stands for every other interface."""
    hidden: frozenset[str] = frozenset()
    """Write-only properties."""


@dataclass(slots=True)
class Item:
    """One row of a table: its number and its stored values."""

    id: int
    values: dict[str, str]

    @property
    def ref(self) -> str:
        """The item's `.id`."""
        return f"*{self.id:X}"


class Table(Menu):
    """A menu of items."""

    def __init__(self, device: Device, spec: TableSpec) -> None:
        super().__init__(device, spec.path)
        self.spec = spec
        self.items: dict[int, Item] = {}
        known = device.schema.arguments(spec.path, "add") or device.schema.arguments(spec.path, "set") or frozenset()
        settings = {name: value for name, value in spec.settings.items() if name in known}
        self.defaults: Mapping[str, str] = {**settings, **spec.defaults}
        """What a new item has that nobody set."""
        self._last_id = 0
        self.verbs: dict[str, Handler] = {
            "print": self._print,
            "get": self._get,
            "find": self._find,
            "add": self._add,
            "set": self._set,
            "unset": self._unset,
            "remove": self._remove,
            "comment": self._set,
            "enable": lambda call: self._switch(call, "false"),
            "disable": lambda call: self._switch(call, "true"),
            "move": self._move,
        }

    # what a family of menus adds

    def before_add(self, new: dict[str, str]) -> None:
        """Refuse or complete a new item's values."""

    def after_add(self, item: Item) -> None:
        """An item was added."""

    def before_set(self, item: Item, changes: dict[str, str]) -> None:
        """Refuse or complete changed values."""

    def after_set(self, item: Item, before: Mapping[str, str]) -> None:
        """An item was changed."""

    def before_remove(self, item: Item) -> None:
        """Refuse a removal."""

    def after_remove(self, item: Item) -> None:
        """An item was removed."""

    def view(self, item: Item) -> dict[str, str]:
        """The item as print shows it."""
        shown = {name: value for name, value in item.values.items() if name not in self.spec.hidden}
        return {".id": item.ref, **shown}

    # what others ask of a table

    def views(self) -> Iterator[Row]:
        """All items as print shows them."""
        return (self.view(item) for item in list(self.items.values()))

    def insert(self, given: Mapping[str, str]) -> Item:
        """Put an item in without any check, as a router's own doing or a test's."""
        self._last_id += 1
        item = Item(self._last_id, {**self.defaults, **given})
        _drop_empty_comment(item)
        self.items[item.id] = item
        return item

    def take_over(self, other: Table) -> None:
        """Hold what another one held, and nothing else."""
        self.items, self._last_id = other.items, other._last_id

    def delete(self, item: Item) -> None:
        """Take an item out without any check."""
        self.items.pop(item.id, None)

    def find_item(self, selector: str) -> Item:
        """The item with this `.id` or name."""
        if selector.startswith("*"):
            try:
                item = self.items.get(int(selector[1:], 16))
            except ValueError:
                item = None
        else:
            item = next((item for item in self.items.values() if self.name_of(item) == selector), None)
        if item is None:
            raise no_such_item()
        return item

    def name_of(self, item: Item) -> str | None:
        """What else an item is called by in selectors."""
        return item.values.get("name")

    def selected(self, call: Call) -> list[Item]:
        """The items that a command names."""
        selector = call.command.selector()
        if selector is None:
            raise Trap("missing value(s) of argument(s) numbers", Category.ARGUMENT)
        return [self.find_item(part) for part in selector]

    def selected_one(self, call: Call) -> Item:
        """The one item that a command names."""
        items = self.selected(call)
        if not items:
            raise no_such_item()
        return items[0]

    def normalise(self, given: Mapping[str, str]) -> dict[str, str]:
        """Given values as a router stores them."""
        return {name: self.normal(name, value) for name, value in given.items() if name not in NOT_PROPERTIES}

    def normal(self, name: str, value: str) -> str:
        """One value as a router stores it."""
        return _stored(self, name, value, self.spec.booleans)

    # the commands

    def _print(self, call: Call) -> Reply:
        return list_rows(self._wanted(call), call.command)

    def _wanted(self, call: Call) -> Iterable[Row]:
        if "from" not in call.command.args:
            return self.views()
        return [self.view(self.find_item(part)) for part in call.command.args["from"].split(",") if part]

    def _get(self, call: Call) -> Reply:
        return value_of(self.view(self.selected_one(call)), call)

    def _find(self, call: Call) -> Reply:
        rows = list_rows(self.views(), call.command).rows
        return Reply(ret=";".join(row[".id"] for row in rows))

    def _add(self, call: Call) -> Reply:
        given = dict(call.command.args)
        if "copy-from" in given:
            given = {**self.find_item(given["copy-from"]).values, **given}
        new = self.normalise(given)
        missing = [name for name in self.spec.required if not new.get(name)]
        if missing:
            raise Trap(f"missing value(s) of argument(s) {' '.join(missing)}", Category.ARGUMENT)
        self._check(new, None)
        self.before_add(new)
        item = self.insert(new)
        if "place-before" in given:
            self._place(item, given["place-before"])
        self.after_add(item)
        return Reply(ret=item.ref)

    def _set(self, call: Call) -> Reply:
        items = self.selected(call)
        changes = self.normalise(call.command.args)
        for item in items:
            self.change(item, changes)
        return DONE

    def change(self, item: Item, changes: Mapping[str, str]) -> None:
        """Change stored values with every check."""
        checked = dict(changes)
        for name in (*self.spec.required, *self.spec.kept):
            if checked.get(name) == "":
                raise invalid_value(name)
        self._check(checked, item)
        self.before_set(item, checked)
        before = dict(item.values)
        item.values.update(checked)
        _drop_empty_comment(item)
        self.after_set(item, before)

    def _unset(self, call: Call) -> Reply:
        names = call.command.args.get("value-name", "").split(",")
        if set(names) & {"name", *self.spec.required, *self.spec.kept}:
            raise no_match("value-name")
        for item in self.selected(call):
            before = dict(item.values)
            for name in names:
                item.values.pop(name, None)
                if name in self.defaults:
                    item.values[name] = self.defaults[name]
            self.after_set(item, before)
        return DONE

    def _switch(self, call: Call, disabled: str) -> Reply:
        for item in self.selected(call):
            self.change(item, {"disabled": disabled})
        return DONE

    def _remove(self, call: Call) -> Reply:
        items = self.selected(call)
        for item in items:
            self.before_remove(item)
        for item in items:
            self.delete(item)
            self.after_remove(item)
        return DONE

    def _move(self, call: Call) -> Reply:
        for item in self.selected(call):
            self._place(item, call.command.args.get("destination", ""))
        return DONE

    def _place(self, item: Item, before: str) -> None:
        self.items.pop(item.id)
        ahead = self.find_item(before) if before else None
        rest = list(self.items.values())
        position = rest.index(ahead) if ahead is not None else len(rest)
        self.items = {one.id: one for one in [*rest[:position], item, *rest[position:]]}

    def _check(self, new: Mapping[str, str], current: Item | None) -> None:
        interfaces = {name: new[name] for name in self.spec.interface_properties if name in new}
        interfaces |= {name: new[name].removeprefix("!") for name in self.spec.interface_matchers if name in new}
        for name, interface in interfaces.items():
            if not self.device.has_interface(interface):
                raise no_match(name)
        if not any(name in new for name in self.spec.unique):
            return
        key = [new.get(name, current.values.get(name) if current else None) for name in self.spec.unique]
        for item in self.items.values():
            if item is not current and [item.values.get(name) for name in self.spec.unique] == key:
                raise failure(self.spec.unique_text)


class Singleton(Menu):
    """A menu of one set of values; properties without a stored value are not shown."""

    def __init__(
        self, device: Device, path: str, stored: Mapping[str, str], *, booleans: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(device, path)
        self.values = dict(stored)
        self._booleans = booleans
        self.verbs = {"print": self._print, "get": self._get, "set": self._set}

    def view(self) -> dict[str, str]:
        """The values as print shows them."""
        return dict(self.values)

    def before_set(self, changes: dict[str, str]) -> None:
        """Refuse or complete changed values."""

    def _print(self, call: Call) -> Reply:
        return list_rows([self.view()], call.command)

    def _get(self, call: Call) -> Reply:
        return value_of(self.view(), call)

    def _set(self, call: Call) -> Reply:
        changes = {name: _stored(self, name, value, self._booleans) for name, value in call.command.args.items()}
        self.before_set(changes)
        self.values.update(changes)
        return DONE


def _stored(menu: Menu, name: str, value: str, booleans: frozenset[str]) -> str:
    """A value in the form that the menu's router stores: the command tree's description comes before our own."""
    hint = menu.device.schema.hint(menu.path, name)
    if hint is not None:
        return hints.stored(name, value, hint)
    if name in booleans:
        return values.boolean(name, value)
    return forms.stored(menu.path, name, value)


def _drop_empty_comment(item: Item) -> None:
    """A comment that is set to nothing is a comment that is not there."""
    if item.values.get("comment") == "":
        del item.values["comment"]


def value_of(row: Row, call: Call) -> Reply:
    """Answer a `get`: one value, or all of them in one string."""
    name = call.command.args.get("value-name")
    if name is None:
        return Reply(ret=";".join(f"{key}={value}" for key, value in row.items()))
    return Reply(ret=row.get(name, ""))
