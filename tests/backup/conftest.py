"""What tests of backups share: a signing key, and a repository to be filled by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbops.crypto.signing import KeyFileSigner
from tests.support.made_repository import MadeRepository, make_signer


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> KeyFileSigner:
    """The host's key."""
    return make_signer(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def made(tmp_path: Path, signer: KeyFileSigner) -> MadeRepository:
    """An empty repository."""
    return MadeRepository(tmp_path / "repository", signer)
