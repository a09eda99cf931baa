"""What many tests stand on: a small index, a web server, the installed base models, the whole service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from indexing.fetch import Fetcher
from indexing.store import Index
from indexing.types import Encoder, PasserineError
from models.trunk import Trunk
from tests.hashing import HashingEncoder
from tests.serving import Served, running
from tests.site import LOOPBACK, Site, serving


@pytest.fixture
def hashing() -> HashingEncoder:
    return HashingEncoder()


@pytest.fixture
def index(tmp_path: Path, hashing: HashingEncoder) -> Index:
    """An empty index of the test's own."""
    return Index.create(tmp_path / "index", hashing)


@pytest.fixture
def site() -> Iterator[Site]:
    """A web server on loopback without pages."""
    with serving(Site()) as served:
        yield served


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    fetcher = Fetcher(LOOPBACK)
    yield fetcher
    fetcher.close()


@pytest.fixture(scope="session")
def models_home() -> Path:
    """The home folder whose `models/` holds the installed base models."""
    from models.weights import model_folder
    from service.config import load

    home = load().home
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


@pytest.fixture(scope="session")
def trunk(models_home: Path) -> Trunk:
    """The bare trunk that the heads sit on."""
    from models.weights import model_folder

    return Trunk.load(model_folder(models_home, "multilingual-e5-small"))


@pytest.fixture(scope="session")
def examples_home(models_home: Path, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the installed models and an index of the bundled example documents."""
    from indexing.refresh import refresh
    from service.app import EXAMPLES

    home = tmp_path_factory.mktemp("home")
    (home / "models").symlink_to(models_home / "models", target_is_directory=True)
    index = Index.create(home / "index", encoder)
    report = refresh([EXAMPLES], index, encoder)
    assert report.added > 20, report
    index.close()
    return home


@pytest.fixture(scope="session")
def served(examples_home: Path) -> Iterator[Served]:
    """The whole service on the example documents, on a port of its own."""
    with running(examples_home) as service:
        yield service
