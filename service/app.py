"""The one place where everything is constructed: settings in, a running Passerine out."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import indexing
import models
import rewards
from indexing.collection import Collection
from indexing.fetch import FetchRules
from indexing.rerank import RerankedRetriever
from indexing.search import Searcher, Whole
from indexing.store import Index
from indexing.types import BadInput, Encoder, EncoderMismatch, IndexMissing, PasserineError, Retriever
from models.types import Conversation, Generator, Policy, Turn
from rewards.rules import load_rules
from rewards.select import load_thresholds
from rewards.types import Rule
from service.application import Application
from service.approved import ApprovedStore
from service.asking import Asking
from service.config import Settings
from service.conversations import Conversations
from service.database import connect
from service.errors import explain
from service.feedback import Feedback
from service.jobs import Jobs
from service.keys import Keys
from service.library import Library, Mapped, open_collection, where
from service.limits import RequestLimits
from service.memories import Memories
from service.metrics import Metrics
from service.pipeline import Parts, answer
from service.refreshes import Refreshes, Worker
from service.registry import BUNDLED, Registry
from service.rulebook import Rulebook
from service.sharing import Shares
from service.sources import Sources
from service.startup import Lazy, Startup
from service.tracing import Tracing

if TYPE_CHECKING:
    from models.encoder import TrunkEncoder
    from models.extractive import Reads
    from models.orders import OrderDetector
    from models.plan import Planner
    from models.tuned import TunedPolicy

LOG = logging.getLogger("passerine")
BASE = "multilingual-e5-small"
"""The base model that the bundled heads were trained on."""
CHAT_BASE = "smollm2-135m-instruct"
"""The chat model that the bundled adapter was trained on."""
ADAPTERS = ("sft", "best-of-n", "ppo")
"""The adapters of it that come with the install; the first is the one that is used."""
HEADS = Path(models.__file__).parent / "bundled"
JUDGES = Path(rewards.__file__).parent / "bundled"
ENOUGH = 0.3
"""Score of an extracted answer from which on the embedded chat model is not asked too: of the development questions it
is asked for two in five, and adds there what it adds when it is always asked."""
GENERATED = 2
"""Passages that the embedded chat model reads beside the reader, one candidate each."""
TUNED_LANGUAGES = ("en",)
"""What the embedded chat model reads: its vocabulary spells Chinese byte by byte."""
EXAMPLES = Path(indexing.__file__).parent / "examples"
"""The bundled documents, a source like any other folder."""
WARM_UP = ("Hello! What is in these documents?", "这些文档讲了什么？")
"""Asked once at start, so that the first person does not wait for kernels and memory maps."""


def build(settings: Settings) -> Application:
    """Opens the database and prepares the rest; models and index are loaded when `startup` runs or a part is asked for.

    Raises StorageFailed when the data folder cannot be written, BadInput for an unusable database_url.
    """
    make_home(settings.home)
    database, metrics, tracing = connect(settings.database), Metrics(), Tracing()
    conversations, memories = Conversations(database), Memories(database)
    rules = load_rules()
    rulebook = Rulebook(database, rules, load_thresholds())
    encoder: Lazy[Encoder] = Lazy("encoder", lambda: make_encoder(settings))
    library: Lazy[Library] = Lazy("index", lambda: make_library(settings, encoder.now()))
    parts: Lazy[Parts] = Lazy("judges and policy", lambda: make_parts(settings, encoder.now(), library.now(), rules))
    fetching = FetchRules(settings.fetch_private, settings.fetch_rate, settings.fetch_limit, settings.fetch_agent)
    refreshes = Refreshes(
        library, Sources(database), Jobs(database), fetching, lambda: open_collection(where(settings))
    )
    warm: Lazy[None] = Lazy("warm-up", lambda: warm_up(library.now(), parts.now()))
    return Application(
        settings=settings,
        database=database,
        conversations=conversations,
        shares=Shares(database, conversations),
        feedback=Feedback(database, frozenset(rule.id for rule in rules)),
        memories=memories,
        keys=Keys(database),
        limits=RequestLimits(),
        metrics=metrics,
        tracing=tracing,
        rulebook=rulebook,
        approved=make_approved(settings),
        asking=Asking(settings, conversations, metrics, rulebook, tracing, memories),
        encoder=encoder,
        library=library,
        parts=parts,
        startup=Startup([encoder, library, parts, warm]),
        refreshes=refreshes,
        worker=Worker(refreshes, EXAMPLES),
    )


def make_home(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain(error) from error


def make_encoder(settings: Settings) -> Encoder:
    from models.encoder import load_encoder

    set_threads(settings.threads)
    return load_encoder(settings.encoder, settings.home, settings.device, settings.precision)


def set_threads(count: int) -> None:
    import torch

    if count:
        torch.set_num_threads(count)


def make_library(settings: Settings, encoder: Encoder) -> Library:
    index = make_index(settings, encoder)
    searcher = Searcher(
        index,
        encoder,
        per_document=settings.passages_per_document,
        half_life=settings.recency_half_life,
        device=make_device(settings),
    )
    LOG.info("search runs on %s", searcher.describe())
    return Library(index, encoder, searcher, settings.document_limit, make_mapped(settings))


def make_device(settings: Settings) -> Whole | None:
    """What searches in place of FAISS and the lexical kernel, where that is wanted. Raises BadInput for a table, whose
    shards search, and for a device that is not there."""
    if not settings.search_device:
        return None
    if settings.table:
        raise BadInput("A table is searched by its shards.", "Unset search_device, or table.")
    from indexing.device import Device

    return Device(settings.search_device)


def make_index(settings: Settings, encoder: Encoder) -> Collection:
    """The index folder, or the table with its shards. Raises BadInput for a cluster without a table."""
    if not settings.table:
        if settings.cluster:
            raise BadInput("A cluster needs a table.", "Name a shared folder or bucket: `--set table=PLACE`.")
        return Index.create(settings.index_folder, encoder)
    from indexing.actors import ActorShards
    from indexing.shard import LocalShards, Shard
    from indexing.table import Table
    from indexing.table_rows import Place

    place, cache = Place(settings.table), settings.home / "shards"
    if settings.cluster:
        return Table.create(place, encoder, shards=ActorShards(place, settings.cluster, settings.shards, cache))
    return Table.create(place, encoder, shards=LocalShards([Shard(place, cache) for _ in range(settings.shards)]))


def make_mapped(settings: Settings) -> Mapped | None:
    """How folders are refreshed over the cluster, where there is one."""
    if not settings.cluster:
        return None
    from indexing.mapping import refresh_mapped

    return partial(refresh_mapped, make=partial(make_encoder, settings), address=settings.cluster)


def make_parts(settings: Settings, encoder: Encoder, library: Library, rules: Sequence[Rule] | None = None) -> Parts:
    """Policy and judges (for the bundled rules). All heads sit on one trunk, the encoder's when it is the usual one."""
    from models.orders import OrderDetector
    from models.reader import Reader
    from models.reranker import WEIGHT, ReadingReranker, RememberingReader
    from rewards.preference import TrainedPreference
    from rewards.readings import Readings
    from rewards.rule_judge import TrainedRules
    from rewards.support import TrainedSupport

    rules = load_rules() if rules is None else rules
    base = make_base(settings, encoder)
    readings = Readings(base.trunk)
    folder = partial(model_folder_of, settings)
    reader = RememberingReader(Reader.load(base.trunk, folder("reader", HEADS / "reader")))
    orders = OrderDetector.load()
    retriever: Retriever = library.searcher.seeing(orders.seen)
    if settings.reread:
        retriever = RerankedRetriever(retriever, ReadingReranker(reader, orders), WEIGHT, settings.reread)
    thresholds = load_thresholds()
    if settings.answer_threshold is not None:
        thresholds = replace(thresholds, abstain=settings.answer_threshold)
    return Parts(
        policy=make_policy(settings, base, reader, orders),
        retriever=retriever,
        preference=TrainedPreference.load(readings, folder("preference", JUDGES / "preference")),
        rule=TrainedRules.load(readings, rules, folder("rules", JUDGES / "rules")),
        support=TrainedSupport.load(readings, folder("support", JUDGES / "support")),
        thresholds=thresholds,
        enough=enough_of(settings),
        rules=rules,
        caches={"passages": reader.recent, "judged": readings.recent},
    )


def model_folder_of(settings: Settings, kind: str, bundled: Path) -> Path:
    """Where a kind of model comes from: the one that is being tried, else the promoted one, else the bundled one.
    Raises BadInput."""
    return chosen_folder(settings, kind) or bundled


def chosen_folder(settings: Settings, kind: str) -> Path | None:
    """The model that is being tried, else the promoted one; None when there is neither. Raises BadInput."""
    tried, _, folder = settings.trial.partition("=")
    if settings.trial:
        Registry(settings.registry_folder).place(tried)  # an unknown kind would be tried without being used
    return Path(folder) if tried == kind else Registry(settings.registry_folder).live(kind)


def make_base(settings: Settings, encoder: Encoder) -> "TrunkEncoder":
    """The encoder that the heads were trained on; another one may search, the heads stay on theirs."""
    from models.encoder import TrunkEncoder, load_encoder

    if settings.encoder != BASE:
        encoder = load_encoder(BASE, settings.home, settings.device, settings.precision)
    if not isinstance(encoder, TrunkEncoder):
        raise EncoderMismatch(f"{BASE} is not the model that the heads fit.", f"`passerine models install {BASE}`")
    return encoder


def make_policy(settings: Settings, base: "TrunkEncoder", reader: "Reads", orders: "OrderDetector") -> Policy:
    """The policy of the settings; the generative one needs its language model, the extractive one does not."""
    from models.mixed import MixedPolicy

    if settings.policy == "extractive":
        return make_extractive(settings, base, reader, orders)
    if settings.policy == "generative":
        return make_generative(settings, orders)
    extracts = make_extractive(settings, base, reader, orders)
    if not adapter_of(settings):
        return MixedPolicy(extracts, make_generative(settings, orders))
    return MixedPolicy(extracts, replace(make_tuned(settings, orders), most_passages=GENERATED), TUNED_LANGUAGES)


def enough_of(settings: Settings) -> float:
    """The score of a draft with which a mixture's second policy is not asked; a larger model than the embedded one
    always is, unless the settings say otherwise."""
    if settings.enough_score is not None:
        return settings.enough_score
    return ENOUGH if settings.policy == "mixed" and adapter_of(settings) else 1.0


def make_approved(settings: Settings) -> ApprovedStore:
    return ApprovedStore(settings.home, settings.approved_answers)


def make_extractive(settings: Settings, base: "TrunkEncoder", reader: "Reads", orders: "OrderDetector") -> Policy:
    from models.ambiguity import AmbiguityDetector
    from models.approved import ApprovedFile
    from models.extractive import ExtractivePolicy
    from models.heads import load_head
    from models.talk import BUNDLED as TALK
    from models.talk import Talk, read_entries
    from models.unaided import Unaided

    heads = {name: load_head(HEADS / name, base.fingerprint) for name in ("approved", "talk", "ambiguity")}
    planner = make_planner(base, settings.search_threshold)
    approved = ApprovedFile(base, heads["approved"], make_approved(settings).file)
    talk = Talk(base, heads["talk"], read_entries(TALK))
    unaided = Unaided(planner, approved, talk, AmbiguityDetector(heads["ambiguity"], settings.clarify_threshold))
    return ExtractivePolicy(planner, reader, unaided, orders)


def make_planner(base: "TrunkEncoder", threshold: float | None = None) -> "Planner":
    from models.heads import load_head
    from models.plan import BUNDLED as FIRST
    from models.plan import FOLLOWUP, Planner
    from models.terms import TermSelector

    first, later = (load_head(folder, base.fingerprint) for folder in (FIRST, FOLLOWUP))
    return Planner(base, first, later, threshold, TermSelector.load(base.trunk))


def make_generative(settings: Settings, orders: "OrderDetector") -> Policy:
    from models.generative import GenerativePolicy
    from models.generator import LocalGenerator

    if settings.generator_url:
        return GenerativePolicy(make_remote(settings), orders=orders)
    if adapter_of(settings):
        return make_tuned(settings, orders)
    device = "cpu" if settings.device == "auto" else settings.device
    local = LocalGenerator.load(settings.generator, chat_model_of(settings), device)
    return GenerativePolicy(local, orders=orders)


def make_writer(settings: Settings) -> Generator:
    """A chat model that writes freely: the embedded one without an adapter, or the remote one."""
    from models.llama_generator import LlamaGenerator

    if settings.generator_url:
        return make_remote(settings)
    return LlamaGenerator.load(settings.generator, Path(chat_model_of(settings)))


def make_remote(settings: Settings) -> Generator:
    from models.remote_generator import RemoteGenerator

    key = settings.generator_key.get_secret_value()
    return RemoteGenerator(settings.generator, settings.generator_url, settings.generator, key)


def chat_model_of(settings: Settings) -> Path | str:
    """The folder of a model of the store, or what the setting names: a folder or a hub name."""
    from models.weights import MODELS, model_folder

    return model_folder(settings.home, settings.generator) if settings.generator in MODELS else settings.generator


def adapter_of(settings: Settings) -> Path | None:
    """The adapter of the embedded chat model: the one that is being tried, else that of the settings, which is the
    promoted one or the one that came with the install unless they name another. None when the model runs untuned, or
    elsewhere. Raises BadInput."""
    if settings.generator_url:
        return None
    if settings.adapter != BUNDLED and not settings.trial.startswith("chat="):
        if settings.adapter == "none":
            return None
        return HEADS / settings.adapter if settings.adapter in ADAPTERS else Path(settings.adapter)
    return chosen_folder(settings, "chat") or (HEADS / ADAPTERS[0] if settings.generator == CHAT_BASE else None)


def make_tuned(settings: Settings, orders: "OrderDetector | None" = None) -> "TunedPolicy":
    """The embedded chat model with its adapter, by Passerine's own engine. Raises BadInput for a wrong adapter."""
    from models.llama_generator import LlamaGenerator
    from models.tuned import TunedPolicy

    folder = Path(chat_model_of(settings))
    return TunedPolicy(LlamaGenerator.load(settings.generator, folder, adapter_of(settings)), orders)


def warm_up(library: Library, parts: Parts) -> None:
    """A question in each language, answered by all policies and thrown away. One that finds no document or no model
    server is no failure of the start: both may come later."""
    try:
        library.filled()
        for question in WARM_UP:
            for _ in answer(Conversation((Turn("user", question),)), replace(parts, enough=1.0)):
                pass
    except IndexMissing:
        return
    except PasserineError as error:
        LOG.warning("the question that warms up was not answered: %s", error)


def report_failure(say: Callable[[PasserineError], None]) -> Callable[[BaseException], None]:
    """What the startup does with a failure: traced in the log, told in one sentence."""

    def report(error: BaseException) -> None:
        if not isinstance(error, PasserineError):
            LOG.error("the start failed", exc_info=error)
        say(explain(error))

    return report
