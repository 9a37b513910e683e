"""`/system/script` and its running jobs; whose a script is and what it may do.

A script runs with its own policies, which whoever runs it has to hold; and it may only be given what its giver
holds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mtts.lab.call import Answer, Call, Caller, Menu, list_rows
from mtts.lab.reply import DONE, Category, Reply, Trap, no_match, no_such_item
from mtts.lab.script.errors import ScriptSyntaxError
from mtts.lab.script.job import Job
from mtts.lab.script.parser import parse
from mtts.lab.script.values import Empty, show
from mtts.lab.table import Item, Table, TableSpec
from mtts.lab.values import stamp

if TYPE_CHECKING:
    from mtts.lab.device import Device

POLICIES: tuple[str, ...] = (
    "ftp",
    "reboot",
    "read",
    "write",
    "policy",
    "test",
    "password",
    "sniff",
    "sensitive",
    "romon",
)
DEFAULT_POLICY = ",".join(POLICIES)


class OwnedTable(Table):
    """Items that belong to a user and carry policies."""

    def __init__(self, device: Device, spec: TableSpec) -> None:
        super().__init__(device, spec)
        self.verbs["add"] = self._add_owned
        self.verbs["set"] = self._set_owned

    def normal(self, name: str, value: str) -> str:
        """Policies are known ones."""
        if name == "policy" and not set(split_policies(value)) <= set(POLICIES):
            raise no_match("policy")
        return super().normal(name, value)

    def _add_owned(self, call: Call) -> Reply:
        policies = POLICIES
        if self.device.quirks.default_policy_beyond_giver == "trimmed":
            policies = tuple(policy for policy in POLICIES if policy in call.caller.policies)
        args = {"owner": call.caller.user, "policy": ",".join(policies), **call.command.args}
        _check_grant(call, args["policy"])
        return self._add(replace(call, command=replace(call.command, args=args)))

    def _set_owned(self, call: Call) -> Reply:
        _check_grant(call, call.command.args.get("policy", ""))
        return self._set(call)


class ScriptTable(OwnedTable):
    """`/system/script`"""

    def __init__(self, device: Device) -> None:
        spec = TableSpec(
            "/system/script",
            defaults={
                "policy": DEFAULT_POLICY,
                "dont-require-permissions": "false",
                "run-count": "0",
                "source": "",
                "invalid": "false",
            },
            required=("name",),
            booleans=frozenset({"dont-require-permissions"}),
            unique=("name",),
            unique_text="item with such name already exists",
        )
        super().__init__(device, spec)
        self.verbs["run"] = self._run

    def view(self, item: Item) -> dict[str, str]:
        """A script that cannot be read is shown as invalid."""
        try:
            parse(item.values["source"], self.device.scripts.words)
        except ScriptSyntaxError:
            return {**super().view(item), "invalid": "true"}
        return super().view(item)

    def by_name(self, name: str) -> Item | None:
        """The script of a name."""
        return next((item for item in self.items.values() if item.values["name"] == name), None)

    def start(self, item: Item, caller: Caller, *, origin: str = "command", parent: Job | None = None) -> Job:
        """Run a script with its own policies; Trap when the caller lacks one, ScriptSyntaxError when it is invalid."""
        granted = frozenset(split_policies(item.values["policy"]))
        if item.values["dont-require-permissions"] != "true" and not granted <= caller.policies:
            raise Trap("not enough permissions (9)")
        runner = Caller(caller.user, granted)
        name = item.values["name"]
        job = self.device.scripts.start(item.values["source"], runner, name=name, origin=origin, parent=parent)
        item.values["run-count"] = str(int(item.values["run-count"]) + 1)
        item.values["last-started"] = stamp(self.device.wall)
        return job

    def forget_runs(self) -> None:
        """Counts begin anew after a boot."""
        for item in self.items.values():
            item.values["run-count"] = "0"

    def _run(self, call: Call) -> Answer:
        if call.command.args.get("use-script-permissions"):
            raise Trap("use-script-permissions is not modelled in the lab", Category.GENERAL)
        item = self.selected_one(call)
        try:
            job = self.start(item, call.caller, parent=call.job)
        except ScriptSyntaxError as error:
            self.device.scripts.log_error(f"script error: {error}")
            raise Trap(str(error), Category.SCRIPTING) from None
        if call.job is None:
            self.device.scripts.report(job)
        else:
            job.print_to(call.job)
        return self.device.scripts.answer(job, lambda: _ran(job, call.job))


class JobMenu(Menu):
    """`/system/script/job`: the scripts that run now."""

    def __init__(self, device: Device) -> None:
        super().__init__(device, "/system/script/job")
        self.verbs = {
            "print": lambda call: list_rows([_job_row(job) for job in self._jobs().values()], call.command),
            "remove": self._remove,
        }

    def _jobs(self) -> dict[int, Job]:
        return self.device.scripts.jobs

    def _remove(self, call: Call) -> Reply:
        jobs = {job.ref: job for job in self._jobs().values()}
        for ref in call.command.selector() or ():
            if ref not in jobs:
                raise no_such_item()
            jobs[ref].end()
        return DONE


def split_policies(policy: str) -> list[str]:
    """The names in a list of policies."""
    return [name for name in policy.split(",") if name]


def _check_grant(call: Call, policy: str) -> None:
    if not set(split_policies(policy)) <= call.caller.policies:
        raise Trap("not enough permissions (9)")


def _ran(job: Job, parent: Job | None) -> Reply:
    if job.error is not None:
        raise Trap(job.error, Category.SCRIPTING)
    if job.value is Empty.NOTHING:
        return DONE
    if parent is None:
        raise Trap(show(job.value), Category.RETURN)
    return Reply(ret=show(job.value))


def _job_row(job: Job) -> dict[str, str]:
    return {
        ".id": job.ref,
        "script": job.name,
        "owner": job.caller.user,
        "started": job.started,
        "type": job.origin,
        "policy": ",".join(name for name in POLICIES if name in job.caller.policies),
    }
