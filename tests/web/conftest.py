"""A gallery that many tests ask and none changes."""

from __future__ import annotations

import pytest

from tests.web.gallery import HOSTILE, Gallery, make_gallery


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    return make_gallery(tmp_path_factory.mktemp("gallery"), extra=tuple(HOSTILE))
