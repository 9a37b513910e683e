"""A router on paper: rows that do at once what a plan's changes say, so that plans can be held to their promises.

It knows as much of RouterOS as that takes: a container reaches its state directory through its mounts, tailscaled
logs in with a key or an identity that lies there, and what is off is left out of a row (7.20 and newer).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import count

from mtts.core.changes import (
    Add,
    AwaitHealthy,
    AwaitPull,
    Change,
    PlaceKey,
    Record,
    Remove,
    RetireKey,
    Set,
    Start,
    Stop,
)
from mtts.core.desired import EXTRA_MENUS, extras, state_dir
from mtts.core.facts import Facts
from mtts.core.health import Evidence, Health
from mtts.core.image import Release
from mtts.core.inventory import NodeSpec, Router
from mtts.core.preflight import place_of
from mtts.core.rows import container_row
from mtts.core.storage import Place
from mtts.core.values import normalise_path, same
from mtts.core.version import Version
from tests.core.examples import READY
from tests.core.plan_cases import Rows, facts_of_menus

_FLAGS = ("downloading/extracting", "running", "stopped")


class PaperRouter:
    """One router; `apply` raises AssertionError where a change does not fit what the router holds."""

    def __init__(self, version: str, release: Release) -> None:
        self.version = Version.parse(version)
        self.release = release
        self.menus: dict[str, Rows] = {
            "/system/resource": [{"version": version}],
            "/container/config": [{"tmpdir": ""}],
        }
        self.files: set[str] = set()
        self.identities: set[str] = set()
        """State directories with a tailscaled.state in them."""
        self._ids = count(1)

    def facts(self, router: Router, node: NodeSpec) -> Facts:
        """What would be read for `node`, its preconditions included.

        A menu that only some nodes have entries in is read where the inventory or the container's comment names it.
        """
        rows = [row for row in map(container_row, self.menus.get("/container", [])) if row.tag]
        named = extras(node).union(*(row.tag.extras for row in rows if row.tag and row.tag.node == node.name))
        unread = {menu for word, menu in EXTRA_MENUS.items() if word not in named}
        menus = {path: found for path, found in self.menus.items() if path not in unread}
        facts = facts_of_menus(menus, READY)
        place = place_of(router, node, facts, self.release)
        assert isinstance(place, Place)
        has_identity = state_dir(place, node) in self.identities
        mine = facts.containers_of(node.name)
        return replace(
            facts,
            preconditions=replace(READY, state_bytes=2048 if has_identity else None),
            health=self._health(mine[0].root_dir) if mine and mine[0].is_up else None,
        )

    def everything(self) -> Facts:
        """Every row that there is."""
        return facts_of_menus(self.menus, None)

    def apply(self, change: Change) -> None:
        match change:
            case Add():
                self._add(change)
            case Set(path=path, identity=identity, before=before, after=after):
                row = self._row(path, identity)
                assert all(same(prop, value, row.get(prop)) for prop, value in before.items()), change
                row.update(after)
            case Remove(path="/container", identity=identity):
                self.menus["/container"].remove(self._row("/container", identity))
            case Remove(path="/file", identity=identity):
                self.files.discard(identity["name"])
                self.menus["/file"] = [row for row in self.menus.get("/file", []) if row["name"] != identity["name"]]
            case Remove(path=path, identity=identity):
                self.menus[path].remove(self._row(path, identity))
            case _:
                self._operate(change)

    def _operate(self, change: Change) -> None:
        match change:
            case AwaitPull(root_dir=root_dir):
                row = self._container(root_dir)
                if "arch" not in row:
                    self._show(row, "stopped")
                    row["arch"] = "arm64"
                    if self.version >= Version(7, 21):
                        row["image-id"] = str(self.release.config_digest)
            case PlaceKey(file=file):
                assert file.rpartition("/")[0] in self.files, f"no directory for {file}"
                self.files.add(file)
            case RetireKey(file=file):
                self.files.discard(file)
            case Start(root_dir=root_dir):
                self._start(self._container(root_dir))
            case Stop(root_dir=root_dir):
                self._show(self._container(root_dir), "stopped")
            case AwaitHealthy(root_dir=root_dir):
                health = self._health(root_dir)
                assert health is not None, f"{root_dir} is not up"
                assert health.is_healthy, health
            case Record(root_dir=root_dir, comment=comment, settings=settings):
                self._container(root_dir).update({"comment": comment, **settings})
            case _:
                raise AssertionError(f"not for a router on paper: {change}")

    def apply_all(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self.apply(change)

    def comparable(self) -> dict[str, list[dict[str, str]]]:
        """All rows without what differs between two equal routers."""
        return {
            path: sorted(({prop: value for prop, value in row.items() if prop != ".id"} for row in rows), key=str)
            for path, rows in self.menus.items()
            if rows
        }

    def _add(self, change: Add) -> None:
        if change.path == "/file":
            if "contents" in change.props:
                self.menus.setdefault("/file", []).append(dict(change.props))
            self.files.add(change.props["name"])
            return
        rows = self.menus.setdefault(change.path, [])
        assert not any(self._is(row, change.identity) for row in rows), f"{change.label} is there already"
        row = {".id": f"*{next(self._ids):X}", **change.props}
        if change.path == "/container":
            row["tag"] = row.pop("remote-image")
            self._show(row, "downloading/extracting")
        rows.append(row)

    def _start(self, row: dict[str, str]) -> None:
        assert "arch" in row, "started before its image was there"
        home = self._home(row)
        key = f"{home}/authkey"
        if key in self.files:
            self.files.discard(key)
            self.identities.add(home)
        self._show(row, "running")

    def _health(self, root_dir: str) -> Health | None:
        row = self._container(root_dir)
        if "running" not in (row.get("status"), *row):
            return None
        return Health(Evidence.LOG, "Running" if self._home(row) in self.identities else "NeedsLogin")

    def _home(self, row: dict[str, str]) -> str:
        """The state directory that the container sees: through its mounts, and nowhere else."""
        names = (row.get("mounts") or row["mountlists"]).split(",")
        (home,) = (
            mount["src"]
            for mount in self.menus["/container/mounts"]
            if mount.get("list", mount.get("name")) in names and mount["dst"] == "/var/lib/tailscale"
        )
        return normalise_path(home)

    def _show(self, row: dict[str, str], state: str) -> None:
        if self.version < Version(7, 20):
            row["status"] = "extracting" if state == "downloading/extracting" else state
            return
        for flag in _FLAGS:
            row.pop(flag, None)
        row[state] = "true"

    def _container(self, root_dir: str) -> dict[str, str]:
        return self._row("/container", {"root-dir": root_dir})

    def _row(self, path: str, identity: Mapping[str, str]) -> dict[str, str]:
        (row,) = (row for row in self.menus.get(path, []) if self._is(row, identity))
        return row

    @staticmethod
    def _is(row: dict[str, str], identity: Mapping[str, str]) -> bool:
        return all(same(prop, value, row.get(prop)) for prop, value in identity.items())
