"""The installed base models, for tests that need them."""

import os
from pathlib import Path

import pytest

from indexing.types import Encoder, PasserineError

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def models_home() -> Path:
    """The home folder whose `models/` holds the installed base models."""
    from models.weights import model_folder

    home = Path(os.environ.get("PASSERINE_HOME", ROOT / ".passerine"))
    try:
        model_folder(home, "multilingual-e5-small")
    except PasserineError as error:
        pytest.fail(f"{error.message} Run 'make test', which installs the base models.", pytrace=False)
    return home


@pytest.fixture(scope="session")
def encoder(models_home: Path) -> Encoder:
    """The real multilingual encoder, as the service loads it."""
    from models.encoder import load_encoder

    return load_encoder("multilingual-e5-small", models_home)
