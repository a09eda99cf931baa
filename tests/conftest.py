"""What many tests stand on: a small index, a web server, the installed base models, the whole service."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from indexing.fetch import Fetcher
from indexing.store import Index
from indexing.types import Encoder, PasserineError
from tests.hashing import HashingEncoder
from tests.serving import Served, running
from tests.site import LOOPBACK, Site, serving

if TYPE_CHECKING:
    from models.generator import LocalGenerator
    from models.reader import Reader
    from models.trunk import Trunk
    from rewards.readings import Readings

ENCODER = "multilingual-e5-small"


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
def models_home() -> Iterator[Path]:
    """The home folder whose `models/` holds the installed base models. From here on every service and command of this
    process takes the encoder, the reader and the chat model that the first of them loaded: they cost seconds, and what
    they remember changes no answer."""
    import models.encoder
    from models.llama_generator import LlamaGenerator
    from models.reader import BUNDLED, Reader
    from models.weights import model_folder
    from service.config import load

    home = load().home
    try:
        installed = model_folder(home, ENCODER).resolve()
    except PasserineError as error:
        pytest.fail(f"{error.message} Run 'make test', which installs the base models.", pytrace=False)
    load_encoder, load_reader = models.encoder.load_encoder, Reader.load
    usual_encoder, usual_reader = cache(lambda: load_encoder(ENCODER, home, "cpu")), cache(load_reader)

    def encoder_of(name: str, home: Path, device: str = "auto", precision: str = "auto") -> Encoder:
        usual = (home / "models" / name).resolve() == installed and device in ("auto", "cpu") and precision == "auto"
        return usual_encoder() if usual else load_encoder(name, home, device, precision)

    def reader_of(trunk: "Trunk", folder: Path = BUNDLED) -> "Reader":
        return usual_reader(trunk) if folder == BUNDLED else load_reader(trunk, folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models.encoder, "load_encoder", encoder_of)
        patch.setattr(Reader, "load", reader_of)
        patch.setattr(LlamaGenerator, "load", cache(LlamaGenerator.load))
        yield home


@pytest.fixture(scope="session")
def encoder(models_home: Path) -> Encoder:
    """The real multilingual encoder, as the service loads it."""
    from models.encoder import load_encoder

    return load_encoder(ENCODER, models_home)


@pytest.fixture(scope="session")
def trunk(encoder: Encoder) -> "Trunk":
    """The encoder's trunk, which the heads sit on."""
    from models.encoder import TrunkEncoder

    assert isinstance(encoder, TrunkEncoder)
    return encoder.trunk


@pytest.fixture(scope="session")
def reader(trunk: "Trunk") -> "Reader":
    """The bundled reader."""
    from models.reader import Reader

    return Reader.load(trunk)


@pytest.fixture(scope="session")
def readings(trunk: "Trunk") -> "Readings":
    """What the judges read."""
    from rewards.readings import Readings

    return Readings(trunk)


@pytest.fixture(scope="session")
def local(models_home: Path) -> "LocalGenerator":
    """The chat model by transformers, in float32: in bfloat16 a text depends on the texts computed beside it."""
    from models.generator import LocalGenerator

    local = LocalGenerator.load("smollm2", models_home / "models" / "smollm2-135m-instruct")
    local.model.float()
    return local


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
