"""Stages for the entrypoint, and the tests marked `image` left to `make image-test`."""

from pathlib import Path

import pytest

from tests.image.stage import Stage, shells


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a built image unless `-m` says anything at all."""
    if config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("image")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("image")]


@pytest.fixture(params=list(shells().values()), ids=list(shells()))
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    return Stage(tmp_path, request.param)
