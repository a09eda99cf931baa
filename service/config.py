"""Every setting, read once at start, each with the origin of its value.

Later origins win: default < PASSERINE_HOME/settings.yaml < environment PASSERINE_NAME < command line.
docs/configuration.md has a row for each (a test compares).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

import yaml
from platformdirs import user_data_path
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
)

from indexing.types import BadInput
from service.errors import did_you_mean
from service.logs import Format

PREFIX = "PASSERINE_"
FILE = "settings.yaml"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
STANDARD_TRACING = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_EXPORTER")
"""Any of OpenTelemetry's own variables that says where traces go switches tracing on; the rest it reads by itself."""


def default_home() -> Path:
    return user_data_path("passerine", appauthor=False)


class Settings(BaseModel):
    """All that a person can set. A threshold that is None means: as chosen on development data, beside the weights."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    home: Path = Field(default_factory=default_home, description="folder of index, models, database and settings file")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=1, le=65535, description="port to listen on")
    insecure_listen: bool = Field(False, description="allow an address that other machines reach, without a key")
    allowed_hosts: tuple[str, ...] = Field((), description="further Host and Origin names to accept")
    database_url: str = Field("", description="SQLAlchemy URL of conversations and feedback; empty: SQLite in home")

    log_format: Format = Field("text", description="text for people, or json: one object a line, for programs")

    tracing: bool = Field(False, description="whether traces go out by OpenTelemetry (the extra otel)")
    table: str = Field("", description="table of a cluster instead of the index in home: a shared folder, or s3://...")
    cluster: str = Field("", description="Ray cluster of the table: local, auto or host:port; empty: this process")
    shards: int = Field(1, ge=1, le=4096, description="parts of the table that are searched beside each other")

    encoder: str = Field("multilingual-e5-small", description="encoder: a model store name, a folder, or a hub name")
    device: str = Field("auto", description="where models run: auto, cpu, cuda, cuda:1, ...")
    search_device: str = Field("", description="torch device that searches and fuses whole: cuda, ...; empty: FAISS")
    precision: Literal["auto", "float32", "bfloat16", "int8"] = Field("auto", description="arithmetic of the encoder")
    threads: int = Field(0, ge=0, le=1024, description="processor threads for models; 0: as many as there are cores")

    policy: Literal["extractive", "generative", "mixed"] = Field("extractive", description="who drafts candidates")
    generator: str = Field(
        "smollm2-135m-instruct", description="language model of the generative policy: store name, folder, hub name"
    )
    adapter: str = Field(
        "bundled", description="the chat model's tuning: `bundled`, `sft`, `best-of-n`, `ppo`, a folder, or `none`"
    )
    trial: str = Field("", description="KIND=FOLDER: a trained model to try instead of the live one")
    generator_url: str = Field(
        "", description="OpenAI-compatible server to use instead, e.g. http://localhost:11434/v1"
    )
    generator_key: SecretStr = Field(SecretStr(""), description="key for that server")
    approved_answers: Path | None = Field(None, description="YAML file of reviewed questions and answers")

    mode: Literal["careful", "fast"] = Field("careful", description="careful: several candidates; fast: one")
    candidates_without_evidence: int = Field(4, ge=0, le=16, description="candidates drafted without evidence")
    queries: int = Field(2, ge=1, le=4, description="queries used of those planned")
    passages_per_query: int = Field(2, ge=1, le=8, description="passages a query, one candidate each")
    passages_per_document: int = Field(2, ge=1, le=100, description="passages of one document among the hits")
    recency_half_life: float = Field(0.0, ge=0, le=1e6, description="days by which newness halves; 0: no preference")
    reread: int = Field(6, ge=0, le=64, description="hits that the reader puts in a better order; 0: as retrieved")
    nearest: int = Field(3, ge=0, le=20, description="nearest passages shown when nothing answers")

    search_threshold: float | None = Field(None, ge=0, le=1, description="search when its probability is above this")
    answer_threshold: float | None = Field(None, ge=0, le=1, description="abstain when the best score is under this")
    clarify_threshold: float | None = Field(None, ge=0, le=1, description="ask back when ambiguity is above this")

    enough_score: float | None = Field(
        None,
        ge=0,
        le=1,
        description="policy mixed: with a draft of this score the second policy is not asked; 1: it always is",
    )

    question_limit: int = Field(2000, ge=1, description="characters of a question")
    conversation_limit: int = Field(20, ge=1, le=1000, description="turns of a conversation that are read")
    document_limit: int = Field(5_000_000, ge=1, description="characters of one document")
    body_limit: int = Field(16_777_216, ge=1024, description="bytes of one request")
    workers: int = Field(1, ge=1, le=64, description="questions answered at the same time")
    keep_alive: float = Field(10.0, gt=0, le=60, description="seconds between comments on a silent stream")

    sharing: bool = Field(False, description="allow conversations to be shared by link")
    memory: bool = Field(False, description="remember what people say of themselves, each for themselves")

    fetch_private: tuple[IPvAnyNetwork, ...] = Field(
        (), description="private networks that sources may be fetched from"
    )
    fetch_rate: float = Field(2.0, gt=0, le=1000, description="requests a second to one host, at most")
    fetch_limit: int = Field(52_428_800, ge=1024, description="bytes of one page or file from the web, unpacked")
    fetch_agent: str = Field("Passerine", min_length=1, description="name that Passerine gives itself to web servers")

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @field_validator("allowed_hosts", "fetch_private", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("home", "approved_answers", mode="after")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value is not None else None

    @field_validator("table", mode="after")
    @classmethod
    def _absolute_unless_bucket(cls, value: str) -> str:
        return value if not value or "://" in value else str(Path(value).expanduser().absolute())

    @property
    def index_folder(self) -> Path:
        return self.home / "index"

    @property
    def registry_folder(self) -> Path:
        return self.home / "registry"

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in use."""
        return self.database_url or f"sqlite:///{self.home / 'passerine.db'}"

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the page."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def origin(self, name: str) -> str:
        """Where the value of a setting comes from: "default", a file, a variable or an option."""
        return self._origins.get(name, "default")

    def rows(self) -> list[tuple[str, str, str]]:
        """(name, value as a person may see it, origin) of every setting."""
        return [(name, printable(getattr(self, name)), self.origin(name)) for name in type(self).model_fields]

    def with_origins(self, origins: Mapping[str, str]) -> Self:
        self._origins.update(origins)
        return self


def printable(value: object) -> str:
    """A value for a person; a secret only says whether it is set."""
    if isinstance(value, SecretStr):
        return "set" if value.get_secret_value() else ""
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value)
    return "" if value is None else str(value)


def load(options: Mapping[str, object] | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Reads file, environment and options (None among the options: not given).

    Raises BadInput naming the setting, where its value came from, and what would be right.
    """
    variables = os.environ if environment is None else environment
    given = {name: value for name, value in (options or {}).items() if value is not None}
    named = {
        name: variables[PREFIX + name.upper()] for name in Settings.model_fields if PREFIX + name.upper() in variables
    }
    home = Path(str(given.get("home") or named.get("home") or default_home())).expanduser().absolute()
    written = read_file(home / FILE)
    standard = standard_tracing(variables)
    values: dict[str, object] = {**({"tracing": True} if standard else {}), **written, **named, **given}
    origins = {"tracing": f"environment {standard}"} if standard else {}
    origins |= {name: str(home / FILE) for name in written}
    origins |= {name: f"environment {PREFIX}{name.upper()}" for name in named}
    origins |= {name: f"option --{name.replace('_', '-')}" for name in given}
    try:
        return Settings.model_validate(values).with_origins(origins)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise BadInput(
            f"The setting '{name}' (from {origins.get(name, 'default')}) is wrong: {first['msg']}.",
            f"What it sets: {Settings.model_fields[name].description}.",
        ) from None


def standard_tracing(variables: Mapping[str, str]) -> str:
    """OpenTelemetry's own variable that switches tracing on, "" when none does."""
    if variables.get("OTEL_SDK_DISABLED", "").lower() == "true" or variables.get("OTEL_TRACES_EXPORTER") == "none":
        return ""
    return next((name for name in STANDARD_TRACING if variables.get(name)), "")


def read_file(path: Path) -> dict[str, object]:
    """The settings file as a mapping; an absent file is an empty one. Unknown keys are an error."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        raise BadInput(f"{path}{line} is not YAML.", "Write one `name: value` a line.") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise BadInput(f"{path} is not a list of settings.", "Write one `name: value` a line.")
    for name in values:
        if name == "home":
            raise BadInput(f"{path} cannot set 'home': it lies in it.", "Use --home or PASSERINE_HOME.")
        if name not in Settings.model_fields:
            hint = did_you_mean(str(name), Settings.model_fields)
            raise BadInput(f"'{name}' in {path} is not a setting.", f"{hint}docs/configuration.md lists all.")
    return values


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """Variables that begin like ours and name no setting: most likely misspelt. `passerine doctor` shows them."""
    variables = os.environ if environment is None else environment
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(name for name in variables if name.startswith(PREFIX) and name not in known)
