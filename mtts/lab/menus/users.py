"""Users, groups and who is logged in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtts.lab.call import Call
from mtts.lab.forms import USER_POLICIES
from mtts.lab.listing import Listing
from mtts.lab.reply import DONE, Reply, no_match
from mtts.lab.table import Table, TableSpec

if TYPE_CHECKING:
    from mtts.lab.device import Device

POLICIES = USER_POLICIES
LEAST = frozenset({"api", "read", "write", "test"})
GROUPS = {
    "full": frozenset(POLICIES),
    "read": frozenset(POLICIES) - {"ftp", "write", "policy"},
    "write": frozenset(POLICIES) - {"ftp", "policy"},
    "mtts": LEAST,
}


class UserTable(Table):
    """`/user`: the password is never shown."""

    def __init__(self, device: Device, spec: TableSpec) -> None:
        super().__init__(device, spec)
        self.verbs["expire-password"] = self._expire

    def _expire(self, call: Call) -> Reply:
        for item in self.selected(call):
            item.values["expired"] = "true"
        return DONE

    def normal(self, name: str, value: str) -> str:
        """The group must exist."""
        if name == "group":
            groups = self.device.table("/user/group").items.values()
            if all(item.values["name"] != value for item in groups):
                raise no_match("group")
        return super().normal(name, value)


def make_users(device: Device) -> Table:
    """`/user`, with the router's users."""
    spec = TableSpec(
        "/user",
        defaults={"address": "", "disabled": "false", "expired": "false"},
        required=("name", "group"),
        unique=("name",),
        unique_text="user with the same name already exists",
        hidden=frozenset({"password"}),
    )
    table = UserTable(device, spec)
    for name, (password, group) in device.build.users.items():
        table.insert({"name": name, "password": password, "group": group})
    return table


def make_groups(device: Device) -> Table:
    """`/user/group`: RouterOS' own three, and the least that mtts needs."""
    spec = TableSpec("/user/group", required=("name",), unique=("name",), unique_text="group already exists")
    table = Table(device, spec)
    for name, granted in GROUPS.items():
        policy = ",".join(policy if policy in granted else f"!{policy}" for policy in POLICIES)
        table.insert({"name": name, "policy": policy, "skin": "default"})
    return table


def policies_of(device: Device, group: str) -> frozenset[str]:
    """What a group grants."""
    for item in device.table("/user/group").items.values():
        if item.values["name"] == group:
            return frozenset(item.values.get("policy", "").split(",")) & frozenset(POLICIES)
    return frozenset()


class ActiveUsers(Listing):
    """`/user/active`: the sessions of this moment; removing one cuts it."""

    def __init__(self, device: Device) -> None:
        super().__init__(device, "/user/active", self._rows)
        self.verbs |= {"remove": self._log_out, "request-logout": self._log_out}

    def _log_out(self, call: Call) -> Reply:
        for row in self.selected(call):
            self.device.sessions[int(row[".id"][1:], 16)].abort()
        return DONE

    def _rows(self) -> list[dict[str, str]]:
        return [
            {
                ".id": f"*{session.number:X}",
                "when": session.since,
                "name": session.caller.user,
                "address": session.peer,
                "via": session.service,
                "group": self._group_of(session.caller.user),
                "radius": "false",
            }
            for session in self.device.sessions.values()
            if session.caller is not None
        ]

    def _group_of(self, user: str) -> str:
        users = self.device.table("/user").items.values()
        return next((item.values["group"] for item in users if item.values["name"] == user), "")
