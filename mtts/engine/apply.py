"""Carries out one change and reads it back; the state of the router decides, never the answer to a command.

Before it touches an object it reads it again: a router that changed since the plan was made is left alone
(`changed-underway`). Changes are idempotent: what a killed run did already counts as done.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, assert_never

from mtts.core.changes import (
    Add,
    AwaitHealthy,
    AwaitPull,
    Change,
    PlaceKey,
    ProveImage,
    Record,
    Remove,
    RetireKey,
    RunInside,
    Set,
    Start,
    Stop,
    headline,
    symbol,
)
from mtts.core.errors import CommandTrappedError, StepFailedError
from mtts.core.events import Kind
from mtts.core.facts import ContainerRow, ContainerState
from mtts.core.image import Release
from mtts.core.tag import Tag, proven
from mtts.core.text import printable
from mtts.core.values import differing, same
from mtts.engine import await_container
from mtts.engine.gather import gather_containers, read_file
from mtts.engine.observe import NodeObserver
from mtts.engine.services import NodeWork
from mtts.ports import Row

_UNREADABLE: Final = frozenset({"remote-image"})
"""What is sent and shown under other names; the image is proven by its digest instead."""

_TRANSIENT_ADD: Final = ("root-dir overlap", "could not add", "value of interface")
"""An entry that is still being removed holds its directory and its veth; RouterOS says so in these words."""
_READ_BACK_HINT: Final = "compare it on the router with what mtts plan shows, then run the command again"
_ADD_ATTEMPTS: Final = 6
_ADD_PAUSE_S: Final = 3.0
_SAID: Final = 200


class Applier:
    """Applies the changes of one node's plan, in order, over one session."""

    def __init__(self, work: NodeWork, observer: NodeObserver, release: Release | None) -> None:
        self._work = work
        self._mark = work.mark
        self._session = work.session
        self._observer = observer
        self._release = release
        self._log_before: frozenset[str] = frozenset()
        self.evidence: str | None = None
        self.recorded: Tag | None = None
        """What was recorded on the router in the end."""
        self._pulled: set[str] = set()
        """Root directories of the entries that this run added, and so had pulled."""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """For a command that changes the router, unless the router refuses it."""
        before, self._mark.wrote = self._mark.wrote, True
        try:
            yield
        except CommandTrappedError:
            self._mark.wrote = before
            raise

    def move(self, work: NodeWork, observer: NodeObserver) -> None:
        """Go on over another session."""
        self._work, self._session, self._observer, self._mark = work, work.session, observer, work.mark

    def passes_over(self, lines: frozenset[str]) -> None:
        """Log lines with these keys are of an earlier run of the container that is looked at next."""
        self._log_before = lines

    def vouch_for(self, root_dir: str) -> None:
        """The image there is as proven as one that this run had pulled."""
        self._pulled.add(root_dir)

    async def apply_all(self, changes: Iterable[Change]) -> None:
        """One change after the other, each told before it is done, and under the router's lock."""
        for change in changes:
            await self._work.hold()
            self._work.tell(Kind.STEP, f"{symbol(change)} {headline(change)}")
            await self.apply(change)

    async def apply(self, change: Change) -> None:
        """Do it and prove it; raise what `core.outcome.settle` judges."""
        match change:
            case Add() | Set() | Remove():
                await self._apply_object(change)
            case PlaceKey():
                await self._place_key(change)
            case RetireKey():
                await self._retire_key(change)
            case AwaitPull() | ProveImage() | Start() | Stop() | RunInside() | AwaitHealthy() | Record():
                await self._operate(change)
            case _:
                assert_never(change)

    async def _apply_object(self, change: Add | Set | Remove) -> None:
        match change:
            case Add(path="/file"):
                await self._add_file(change)
            case Add():
                await self._add(change)
            case Set():
                await self._set(change)
            case Remove(path="/container"):
                await self._remove_container(change)
            case Remove():
                await self._remove(change)

    async def _operate(self, change: AwaitPull | ProveImage | Start | Stop | RunInside | AwaitHealthy | Record) -> None:
        match change:
            case AwaitPull():
                await self._await_pull(change)
            case ProveImage():
                await self._prove_image(change)
            case Start():
                await self._start(change)
            case Stop():
                await self._stop(change)
            case RunInside():
                await self._run_inside(change)
            case AwaitHealthy():
                health = await await_container.healthy(
                    self._work,
                    self._observer,
                    change.root_dir,
                    since=self._log_before,
                    node_id=change.node_id,
                    on_first=self._came_online,
                )
                self.evidence = str(health.evidence)
            case Record():
                await self._record(change)

    async def _add(self, change: Add) -> None:
        present = await self._find(change.path, change.identity, also=change.props)
        if present is None:
            id_ = await self._send_add(change)
            present = await self._find(change.path, {".id": id_} if id_ else change.identity, also=change.props)
            if change.path == "/container":
                self._pulled.add(change.props["root-dir"])
        self._read_back(change.label, change.props, present)

    async def _send_add(self, change: Add) -> str:
        forms = [change.props, *({**change.props, **form} for form in change.alternatives)]
        if change.path == "/container":
            await await_container.vanished(self._work, change.props["root-dir"])
        attempt = 1
        while True:
            try:
                with self.writing():
                    return await self._session.add(change.path, forms[0])
            except CommandTrappedError as trap:
                if len(forms) > 1 and _blames(trap.text, forms[0], forms[1]):
                    forms.pop(0)
                elif attempt < _ADD_ATTEMPTS and any(text in trap.text for text in _TRANSIENT_ADD):
                    attempt += 1
                    await self._work.services.clock.sleep(_ADD_PAUSE_S)
                else:
                    raise

    async def _add_file(self, change: Add) -> None:
        name = change.identity["name"]
        if await read_file(self._session, name, "type") is None:
            try:
                with self.writing():
                    await self._session.add("/file", change.props)
            except CommandTrappedError as trap:
                if "already exist" not in trap.text:
                    raise
        for prop, value in change.props.items():
            if prop != "name" and await read_file(self._session, name, prop) != value:
                raise StepFailedError(
                    f"{change.label}: {prop} did not stay as written", code="read-back-differs", hint=_READ_BACK_HINT
                )

    async def _set(self, change: Set) -> None:
        if change.path == "/file":
            await self._set_file(change.identity["name"], change)
            return
        present = await self._find(change.path, change.identity)
        if present is None:
            raise StepFailedError(f"{change.label} is gone", code="changed-underway", hint="run the command again")
        if differing(change.after, present):
            if differing(change.before, present):
                raise StepFailedError(
                    f"{change.label} was changed by somebody else",
                    code="changed-underway",
                    hint="run the command again",
                )
            with self.writing():
                await self._session.set(change.path, change.after, id_=present.get(".id") if change.identity else None)
            present = await self._find(change.path, change.identity)
        self._read_back(change.label, change.after, present)

    async def _set_file(self, name: str, change: Set) -> None:
        for prop, value in change.after.items():
            present = await read_file(self._session, name, prop)
            if present not in (value, change.before.get(prop)):
                raise StepFailedError(
                    f"{change.label} was changed by somebody else",
                    code="changed-underway",
                    hint="run the command again",
                )
            if present != value:
                with self.writing():
                    await self._session.set("/file", {prop: value}, id_=name)
            if await read_file(self._session, name, prop) != value:
                raise StepFailedError(f"{change.label}: {prop} did not stay as written", code="read-back-differs")

    async def _remove(self, change: Remove) -> None:
        if change.path == "/file":
            await self._remove_file(change.identity["name"])
            return
        present = await self._find(change.path, change.identity)
        if present is None:
            return
        with self.writing():
            await self._session.remove(change.path, present[".id"])
        if await self._find(change.path, change.identity) is not None:
            raise StepFailedError(
                f"{change.label} is still there after its removal", code="read-back-differs", hint=_READ_BACK_HINT
            )

    async def _remove_file(self, name: str) -> None:
        if await read_file(self._session, name, "type") is None:
            return
        with self.writing():
            await self._session.remove("/file", name)
        if await read_file(self._session, name, "type") is not None:
            raise StepFailedError(f"{name} is still on the router", code="file-left", hint=f'/file/remove "{name}"')

    async def _remove_container(self, change: Remove) -> None:
        container = await self._container(change.identity["root-dir"])
        if container is None:
            return
        if container.is_up or container.state is ContainerState.STOPPING:
            await self._stop(Stop(container.root_dir, change.label, change.why))
        with self.writing():
            await await_container.removed(self._work, container.root_dir)

    async def _start(self, change: Start) -> None:
        self._work.outage.online_s = None
        container = await self._expect(change.root_dir, change.label)
        self._log_before = frozenset(key for key, _ in await self._observer.log(container))
        with self.writing():
            await await_container.started(self._work, self._observer, change.root_dir, since=self._log_before)

    async def _stop(self, change: Stop) -> None:
        outage = self._work.outage
        if outage.stopped_s is None:
            outage.stopped_s = self._work.services.clock.monotonic()
        with self.writing():
            await await_container.stopped(self._work, self._observer, change.root_dir)

    def _came_online(self) -> None:
        self._work.outage.online_s = self._work.services.clock.monotonic()

    async def _await_pull(self, change: AwaitPull) -> None:
        try:
            await await_container.pulled(self._work, self._observer, change.root_dir, flash_bytes=change.flash_bytes)
        except StepFailedError as error:
            if error.problem.code == "flash-overrun":  # nothing else would end it
                await self._remove_container(
                    Remove("/container", change.label, error.problem.message, {"root-dir": change.root_dir})
                )
            raise

    async def _prove_image(self, change: ProveImage) -> None:
        """By the router's own `image-id`, else by asking once more what the tag names now that the pull is over."""
        release = self._release
        if release is None:
            raise StepFailedError(f"no release was meant for {change.label}", code="changed-underway")
        shown = (await self._expect(change.root_dir, change.label)).image_id
        if shown is not None and release.is_shown_as(shown):
            return
        now = await self._work.services.registry.digests(release.image, release.platform, fresh=True)
        if now.manifest != release.manifest_digest:
            raise StepFailedError(
                f"{release.image} was moved to another release while the router pulled it",
                code="tag-moved",
                hint=f"the next run takes it up: mtts update {self._work.router.name}",
            )
        if shown is not None:
            raise StepFailedError(
                f"{change.label} shows the image {shown}, which is not what {release.image} names for"
                f" {release.platform}",
                code="read-back-differs",
                hint="does the router reach another registry under that name? see /log on the router",
            )

    async def _run_inside(self, change: RunInside) -> None:
        container = await self._expect(change.root_dir, change.label)
        if await self._observer.status(container) is None:  # it also finds the one way that works here
            raise StepFailedError(
                "the router gives no way to run a command inside the container",
                code="setting-unsupported",
                hint=f"mtts login {self._work.router.name} without --reauth, once the node is deleted in the tailnet",
            )
        self._mark.wrote = True
        said = printable(await self._observer.run(container, change.command) or "", limit=_SAID)
        if said and "success" not in said.lower():  # it is silent when it succeeds
            raise StepFailedError(f"the login was refused: {said}", code="needs-login", hint="put a fresh key in place")

    async def _place_key(self, change: PlaceKey) -> None:
        source = self._work.node.auth_key
        if source is None:
            raise StepFailedError(
                "the inventory names no auth key any more", code="auth-key-missing", hint="set `auth_key:` of the node"
            )
        key = (await self._work.services.secrets.open(source)).reveal()
        is_there = await read_file(self._session, change.file, "type") is not None
        try:
            with self.writing():
                if is_there:
                    await self._session.set("/file", {"contents": key}, id_=change.file)
                else:
                    await self._session.add("/file", {"name": change.file, "contents": key})
        except CommandTrappedError as trap:
            # A router may quote what it refuses; `from None`, since the trap that holds the key must not be shown.
            raise CommandTrappedError(trap.command, trap.text.replace(key, "***"), category=trap.category) from None
        if await read_file(self._session, change.file, "size") != str(len(key.encode())):
            raise StepFailedError(
                "the auth key's file does not have the key's length", code="read-back-differs", hint=_READ_BACK_HINT
            )

    async def _retire_key(self, change: RetireKey) -> None:
        # The entrypoint deletes the file once the login succeeded; a stock image leaves that to us.
        await self._remove_file(change.file)

    async def _record(self, change: Record) -> None:
        container = await self._expect(change.root_dir, change.label)
        pulled_now = change.root_dir in self._pulled
        comment = proven(change.comment, self._release, container.image_id, pulled_now=pulled_now)
        wanted = {"comment": comment, **change.settings}
        if differing(wanted, container.props):
            with self.writing():
                await self._session.set("/container", wanted, id_=container.id)
            container = await self._expect(change.root_dir, change.label)
        self._read_back(change.label, wanted, container.props)
        self.recorded = container.tag

    async def _container(self, root_dir: str) -> ContainerRow | None:
        return await await_container.find(self._session, root_dir)

    async def _expect(self, root_dir: str, label: str) -> ContainerRow:
        container = await self._container(root_dir)
        if container is None:
            raise StepFailedError(f"{label} is gone", code="changed-underway", hint="run the command again")
        return container

    async def _find(self, path: str, identity: Mapping[str, str], *, also: Iterable[str] = ()) -> Row | None:
        if path == "/container":
            found: Sequence[Row] = [row.props for row in await gather_containers(self._session, also=also)]
        else:
            found = await self._session.print(path, where=[identity] if identity else ())
        return next((row for row in found if _is(row, identity)), None)

    def _read_back(self, label: str, wanted: Mapping[str, str], present: Row | None) -> None:
        if present is None:
            raise StepFailedError(
                f"{label} was accepted and is not there", code="read-back-differs", hint=_READ_BACK_HINT
            )
        lost = {prop: value for prop, value in differing(wanted, present).items() if prop not in _UNREADABLE}
        if lost:
            shown = ", ".join(f"{prop} is {present.get(prop, '')!r}, not {value!r}" for prop, value in lost.items())
            raise StepFailedError(f"{label}: {shown}", code="read-back-differs", hint=_READ_BACK_HINT)


def _is(row: Row, identity: Mapping[str, str]) -> bool:
    return all(same(prop, value, row.get(prop)) for prop, value in identity.items())


def _blames(text: str, form: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether a trap is about a property that another form writes differently."""
    return any(prop in text for prop, value in form.items() if other.get(prop) != value)
