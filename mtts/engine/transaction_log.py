"""What a swap leaves behind for a run that comes after a crash: the journal's lines, and the lock on the router.

The journal comes first, so that a run that cannot write it never writes to the router (F47). A step is on disk before
it is done. Where the disk fails in the middle, a swap that has not begun is not begun, and one that has goes on: the
tags on the router are enough to finish it.
"""

from dataclasses import replace
from typing import Self

from mtts.core.errors import MttsError, Problem, StoreError
from mtts.core.facts import ContainerRow, Resource
from mtts.core.outcome import NodeResult
from mtts.core.transaction import Step, Transaction
from mtts.core.transaction_record import BEFORE_SWAP, STILL_OPEN, Opening, TransactionKey
from mtts.engine.services import NodeWork
from mtts.ports import Journal


class TransactionLog:
    """The pages of one transaction in the journal."""

    def __init__(self, journal: Journal, key: TransactionKey, *, is_proven: bool) -> None:
        self._journal = journal
        self._key = key
        self._warning: Problem | None = None
        """What the disk had against it: from then on the journal is left alone."""
        self.is_proven = is_proven
        """Whether an earlier run proved the image."""

    @classmethod
    async def begin(cls, work: NodeWork, transaction: Transaction, *, old: ContainerRow, resource: Resource) -> Self:
        """On disk, and the router ours; StoreError or RouterLockedError, with nothing written to it, otherwise."""
        journal, key = work.services.journal, TransactionKey(work.router.name, work.node.name, transaction.id)
        known = [one for one in journal.open_of(key.router, key.node) if one.key == key]
        started = old.tag.platform if old.tag is not None else None
        journal.begin(
            Opening(
                key,
                work.services.processes.me.run,
                None if started is None else str(started),
                None if transaction.staged.platform is None else str(transaction.staged.platform),
                transaction.staged_root,
                resource.uptime_s,
            )
        )
        try:
            await work.hold()
        except MttsError:
            if not known:
                journal.end(key)
            raise
        return cls(journal, key, is_proven=any(one.is_proven for one in known))

    def before(self, step: Step) -> None:
        """StoreError where the step is better left undone."""
        try:
            self._note(step, is_done=False)
        except StoreError:
            if step in BEFORE_SWAP:
                raise

    def after(self, step: Step) -> None:
        """It came to its end; what the disk has against it is said at the next step, or at the end."""
        try:
            self._note(step, is_done=True)
        except StoreError:
            return

    def _note(self, step: Step, *, is_done: bool) -> None:
        if self._warning is not None:
            return
        try:
            self._journal.note(self._key, step, is_done=is_done)
        except StoreError as error:
            self._warning = error.problem
            raise

    def close(self, result: NodeResult) -> NodeResult:
        """The result, with what the disk had against the journal."""
        if result.outcome not in STILL_OPEN:
            try:
                self._journal.end(self._key)
            except StoreError as error:
                self._warning = error.problem
        if self._warning is None or self._warning == result.problem:
            return result
        return replace(result, warnings=(*result.warnings, self._warning))


async def close_settled(work: NodeWork, open_id: str | None) -> None:
    """Close what the journal has open of the node and the router does not show any more.

    Its run was killed over its last steps: its lock may be there still, goes by the journal, and goes with this run's.
    """
    journal = work.services.journal
    over = [known.key for known in journal.open_of(work.router.name, work.node.name) if known.key.id != open_id]
    if over:
        await work.hold()
    for key in over:
        journal.end(key)
