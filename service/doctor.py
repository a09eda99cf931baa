"""Is this installation whole, and what to do if not. It changes nothing unless told to repair."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from indexing.types import Encoder, EncoderMismatch, IndexMissing, PasserineError
from service.config import Settings, unknown_variables
from service.errors import explain

Level = Literal["ok", "warn", "fail"]
ROOM = 1_000_000_000
"""Bytes that a conversion of a base model and a small index need."""
PACKAGES = ("torch", "transformers", "sentence-transformers", "fastapi", "uvicorn", "sqlalchemy")


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, how it is, and what to do when it is not well."""

    level: Level
    subject: str
    message: str
    advice: str = ""


Check = Callable[[Settings], Iterator[Finding]]


def examine(settings: Settings, repair: bool = False) -> Iterator[Finding]:
    """All checks, in the order in which a fault would matter. One that fails does not hinder the next."""
    for check in (python, packages, environment, disk, database, models, index, address):
        try:
            yield from check(settings)
        except (PasserineError, OSError, DBAPIError) as error:
            plain = explain(error)
            yield Finding("fail", check.__name__, plain.message, plain.hint)
    if repair:
        yield from mend(settings)


def python(settings: Settings) -> Iterator[Finding]:
    del settings
    yield Finding("ok", "python", f"{'.'.join(map(str, sys.version_info[:3]))} in {sys.prefix}")


def packages(settings: Settings) -> Iterator[Finding]:
    """Versions, and the two builds of FAISS that overwrite each other."""
    del settings
    missing = [name for name in PACKAGES if installed(name) is None]
    if missing:
        yield Finding(
            "fail", "packages", f"missing: {', '.join(missing)}.", "Install Passerine again: pip install -e '.[cpu]'"
        )
    else:
        yield Finding("ok", "packages", ", ".join(f"{name} {installed(name)}" for name in PACKAGES))
    faiss = [name for name in ("faiss-cpu", "faiss-gpu") if installed(name)]
    if len(faiss) == 2:
        yield Finding(
            "fail", "faiss", "faiss-cpu and faiss-gpu are both installed; the last one wins silently.",
            "pip uninstall faiss-cpu faiss-gpu, then install the one that you want: '.[cpu]' or '.[gpu]'",
        )  # fmt: skip
    elif not faiss:
        yield Finding("warn", "faiss", "not installed: vectors are searched by torch.", "pip install '.[cpu]'")
    else:
        yield Finding("ok", "faiss", f"{faiss[0]} {installed(faiss[0])}")


def installed(name: str) -> str | None:
    """Version of an installed distribution."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def environment(settings: Settings) -> Iterator[Finding]:
    del settings
    for name in unknown_variables():
        yield Finding(
            "warn",
            "environment",
            f"{name} is no setting and has no effect.",
            "`passerine status --settings` lists all.",
        )


def disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    level: Level = "ok" if free > ROOM else "warn"
    advice = "" if free > ROOM else "Free some space: a model is converted beside its old copy."
    yield Finding(level, "disk", f"{free / 1e9:.1f} GB free for {settings.home}.", advice)


def database(settings: Settings) -> Iterator[Finding]:
    """Opens it as the service does, and lets SQLite look at every page."""
    from service.database import connect

    if settings.database_url == "" and not (settings.home / "passerine.db").exists():
        yield Finding("ok", "database", "none yet; it is made at the first start.")
        return
    try:
        engine = connect(settings.database)
        verdict = quick_check(engine)
    except UnicodeDecodeError:  # SQLite names the damaged table, and its name is damaged too
        verdict = "the names of its tables cannot be read."
    if verdict != "ok":
        yield Finding("fail", "database", f"damaged: {verdict}", "Move passerine.db aside; documents are not affected.")
        return
    yield Finding("ok", "database", str(engine.url.render_as_string(hide_password=True)))


def quick_check(engine: Engine) -> str:
    """What SQLite says of its pages: "ok", or the faults; other databases are taken for whole. Closes the engine."""
    try:
        with engine.connect() as connection:
            if engine.dialect.name != "sqlite":
                return "ok"
            return str(connection.exec_driver_sql("PRAGMA quick_check").scalars().first())
    finally:
        engine.dispose()


def models(settings: Settings) -> Iterator[Finding]:
    """Checksums of the base models that the settings use."""
    from models import weights

    wanted = [settings.encoder]
    if settings.policy != "extractive" and not settings.generator_url:
        wanted.append(settings.generator)
    for name in wanted:
        if name not in weights.MODELS:
            yield Finding("ok", "model", f"{name} is not from the model store; it is loaded as named.")
            continue
        problems = weights.verify(name, settings.home)
        if problems:
            yield Finding("fail", "model", f"{name}: {' '.join(problems)}", f"`passerine models install {name}`")
        else:
            yield Finding("ok", "model", f"{name} is whole.")


def index(settings: Settings) -> Iterator[Finding]:
    """Opens the index or the table, reads all of it, and compares its encoder with the settings."""
    from models.encoder import load_encoder
    from service.library import open_collection, problems, where

    place, what = where(settings), "table" if settings.table else "index"
    try:
        faults = problems(place)
    except IndexMissing as error:
        yield Finding("warn", what, error.message, error.hint)
        return
    if faults:
        advice = "`passerine doctor --repair` makes anew what can be made from the stored texts."
        yield Finding("fail", what, " ".join(faults), advice)
        return
    opened = open_collection(place)
    counts = opened.counts()
    yield Finding("ok", what, f"{counts.documents:,} documents in {counts.passages:,} passages; all files are whole.")
    opened.check(load_encoder(settings.encoder, settings.home, "cpu"))
    yield Finding("ok", "encoder", f"{settings.encoder} made this {what}.")


def address(settings: Settings) -> Iterator[Finding]:
    from service.serving import is_free

    if is_free(settings.host, settings.port):
        yield Finding("ok", "address", f"{settings.url} is free.")
    else:
        yield Finding("warn", "address", f"{settings.url} is in use, perhaps by Passerine itself.", "Else use --port.")


def mend(settings: Settings) -> Iterator[Finding]:
    """Installs a damaged encoder again, and rebuilds a damaged or foreign index from its stored texts."""
    from models import weights
    from models.encoder import load_encoder
    from service.library import problems, repair_index, where

    if settings.encoder in weights.MODELS and weights.verify(settings.encoder, settings.home):
        weights.install(settings.encoder, settings.home)
        yield Finding("ok", "repair", f"{settings.encoder} was installed again.")
    place = where(settings)
    try:
        faults = problems(place)
    except IndexMissing:
        return
    encoder = load_encoder(settings.encoder, settings.home, settings.device, settings.precision)
    if faults or made_by_another(settings, encoder):
        done = repair_index(place, encoder, None)
        yield Finding("warn" if done.removed else "ok", "repair", " ".join([*done.removed, str(done)]))


def made_by_another(settings: Settings, encoder: Encoder) -> bool:
    from service.library import open_collection, where

    index = open_collection(where(settings))
    try:
        index.check(encoder)
    except EncoderMismatch:
        return True
    finally:
        index.close()
    return False
