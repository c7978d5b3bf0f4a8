"""A service on each database, both reached by the same producer."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.conftest import fresh_url
from tests.support.producers import Receiver, receiving

Receivers = dict[str, Receiver]


@pytest.fixture(scope="module")
def receivers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receivers]:
    """A service for each kind of database, by its name: a producer that takes long runs once and sends to both."""
    with ExitStack() as running:
        yield {
            kind: running.enter_context(receiving(folder / "home", fresh_url(kind, request, folder)))
            for kind in ("sqlite", "postgresql")
            for folder in (tmp_path_factory.mktemp(kind),)
        }
