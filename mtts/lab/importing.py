"""How an image comes onto a router: pulled over HTTP for real, then extracted in simulated time.

Compressed layers lie in a scratch directory (`tmpdir`, else beside the root directory) until the end; the
root directory grows as they are extracted. A volume that fills up ends the import and leaves what was
extracted, as routers do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from mtts.lab.container import Container, Phase
from mtts.lab.pull import PulledImage, PullError
from mtts.lab.storage import NoSpaceError, on_disk_bytes
from mtts.lab.values import path_key

if TYPE_CHECKING:
    from mtts.lab.device import Device
    from mtts.lab.faults import BrokenExtraction

STEPS = 8
FAIL_S = 0.5


class Puller(Protocol):
    """The router's own way to a registry."""

    def __call__(self, reference: str, *, architecture: str) -> Awaitable[PulledImage]:
        """The image for this architecture; PullError with the words that a router would show."""


class Importer:
    """Imports images into containers' root directories."""

    def __init__(self, device: Device, puller: Puller, finished: Callable[[Container], None]) -> None:
        self._device = device
        self._puller = puller
        self._finished = finished

    def begin(self, container: Container) -> None:
        """Start pulling what `remote-image` names; the container is extracting until it is done or failed."""
        container.phase = Phase.EXTRACTING
        container.about = ""
        container.image = None
        container.is_downloaded = False
        reference = full_reference(self._device, container.item.values["remote-image"])
        self._device.log("container,info,debug", f"importing remote image: {reference}")
        container.pulling = self._device.clock.track(self._pull(container, reference, self._device.boots))

    def abandon(self, container: Container) -> None:
        """Stop an import and free its scratch space."""
        if container.pulling is not None:
            container.pulling.cancel()
            container.pulling = None
        self._let_go(container)

    def die(self, container: Container, text: str) -> None:
        """End an import in failure; a repull that dies has given up the old image already."""
        self.abandon(container)
        container.phase = Phase.FAILED
        container.about = text
        if container.is_repull:
            container.is_repull = False
            container.replaces = None
            if self._device.files.image_at(container.root) is not None:
                self._device.files.empty(container.root)
            if self._device.quirks.dead_repull == "stopped":
                container.phase = Phase.STOPPED

    async def _pull(self, container: Container, reference: str, boot: int) -> None:
        failure = self._device.faults.take_pull_failure()
        image: PulledImage | None = None
        try:
            image = await self._puller(reference, architecture=self._device.build.board.architecture)
        except PullError as error:
            failure = failure or error.text
        if self._device.boots != boot or container.phase is not Phase.EXTRACTING:
            return
        container.pulling = None
        if image is None or failure is not None:
            text = f"download/extract error: {failure}"
            self._device.later(FAIL_S, lambda: self._fail(container, text))
            return
        layers = ", ".join(f"{size} bytes" for size in image.layer_sizes)
        self._device.log("container,info,debug", f"getting layers ({layers})")
        self._take_ram(container, self._device.quirks.extraction_ram_bytes)
        self._download(container, image, STEPS)

    def _download(self, container: Container, image: PulledImage, steps_left: int) -> None:
        if container.phase is not Phase.EXTRACTING:
            return
        if steps_left == 0:
            self._prepare_root(container, image)
            return
        if container.scratch is None:
            container.scratch = self._scratch_path(container)
            self._device.files.make_directory(container.scratch)
        share = on_disk_bytes(image.compressed_bytes // STEPS)
        if not self._grow(container, container.scratch, share):
            return
        pause = image.compressed_bytes / STEPS / self._device.build.link_bytes_per_s
        self._device.later(pause, lambda: self._download(container, image, steps_left - 1))

    def _prepare_root(self, container: Container, image: PulledImage) -> None:
        container.is_downloaded = True
        files, root = self._device.files, container.root
        if root in files:
            if self._device.has("root-dir-must-be-absent") and not container.is_repull:
                self._fail(container, f"download/extract error: {self._device.quirks.root_dir_exists_text}")
                return
            if self._device.quirks.old_root_dir == "stale" and not self._device.has("root-dir-must-be-absent"):
                self._complete(container, image)
                return
            files.remove(f"{root}.backup")
            files.rename(root, f"{root}.backup")
        files.make_directory(root)
        self._extract(container, image, STEPS, self._device.faults.take_extraction())

    def _extract(
        self, container: Container, image: PulledImage, steps_left: int, broken: BrokenExtraction | None
    ) -> None:
        if container.phase is not Phase.EXTRACTING:
            return
        if steps_left == 0:
            self._device.files.entries[container.root].image = image
            self._complete(container, image)
            return
        room = sum(on_disk_bytes(size) for size in image.files.values())
        done, goal = room * (STEPS - steps_left) // STEPS, room * (STEPS - steps_left + 1) // STEPS
        end = room if broken is None else room * broken.percent // 100
        if not self._grow(container, container.root, min(goal, end) - done):
            return
        pause = image.extracted_bytes / STEPS / self._device.build.extract_bytes_per_s
        if broken is not None and goal >= end:
            self._device.later(pause, lambda: self._break_off(container, image, broken))
            return
        self._device.later(pause, lambda: self._extract(container, image, steps_left - 1, broken))

    def _break_off(self, container: Container, image: PulledImage, broken: BrokenExtraction) -> None:
        """End an extraction early: in failure, or as if the root directory were whole."""
        if broken.text is not None:
            self._fail(container, f"download/extract error: {broken.text}")
        elif container.phase is Phase.EXTRACTING:
            self._complete(container, image)

    def _complete(self, container: Container, image: PulledImage) -> None:
        self._let_go(container)
        container.image = image
        container.phase = Phase.STOPPED
        self._device.log("container,info,debug", f"{container.name}: *** download/extract done")
        self._finished(container)

    def _grow(self, container: Container, path: str, room_bytes: int) -> bool:
        if path not in self._device.files:
            self._fail(container, "download/extract error: No such file or directory")
            return False
        try:
            self._device.files.grow(path, room_bytes)
        except NoSpaceError:
            self._fail(container, self._device.quirks.no_space_text)
            return False
        return True

    def _fail(self, container: Container, text: str) -> None:
        if container.phase is not Phase.EXTRACTING:
            return
        self.die(container, text)
        self._device.log("container,error", f"{container.name}: {text}")

    def _let_go(self, container: Container) -> None:
        self._take_ram(container, 0)
        if container.scratch is not None:
            self._device.files.remove(container.scratch)
            container.scratch = None

    def _take_ram(self, container: Container, wanted_bytes: int) -> None:
        self._device.storage.take_process_ram(wanted_bytes - container.extraction_ram_bytes)
        container.extraction_ram_bytes = wanted_bytes

    def _scratch_path(self, container: Container) -> str:
        tmpdir = path_key(self._device.setting("/container/config", "tmpdir"))
        parent = tmpdir or container.root.rpartition("/")[0]
        return path_key(f"{parent}/.pull-{container.item.id}")


def full_reference(device: Device, reference: str) -> str:
    """An image reference with the registry that a router asks when none is named."""
    first, slash, _ = reference.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return reference
    return f"{device.registry_host()}/{reference}"
