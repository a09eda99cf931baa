"""The command `passerine`.

serve, ask, search, refresh, source, key, status, models, doctor, evaluate, train, feedback, rules. A command that fails
says why in one sentence with a hint on stderr and exits with 1 (2 for wrong usage, 130 for Ctrl-C).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from indexing.types import BadInput, Filters
from service import commands, source_commands
from service.app import build
from service.application import Application
from service.asking import Question
from service.config import Settings, load
from service.console import bar, out, reported, show_answer, show_hits
from service.errors import did_you_mean
from service.events import Done
from service.logs import log_to_stderr
from service.schemas import HitOut, SearchOut, answer_json

Part = Literal[
    "retrieval",
    "rerank",
    "followups",
    "answers",
    "office",
    "judges",
    "chat",
    "rlhf",
    "spans",
    "training",
    "speed",
    "load",
    "faults",
    "spelling",
    "calibrate",
    "fusion",
    "gate",
    "loop",
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(slots=True)
class Given:
    """What was said before the command's name: settings, and whether to show traces."""

    options: dict[str, object]
    debug: bool = False

    def settings(self, **more: object) -> Settings:
        return load({**self.options, **more})

    def application(self, **more: object) -> Application:
        return build(self.settings(**more))


def main() -> None:
    """The entry point of the installed command."""
    build_cli()()


def show_version(wanted: bool) -> None:
    """Print the version and stop, where that is what is wanted."""
    if wanted:
        typer.echo(f"passerine {version('passerine')}")
        raise typer.Exit


def build_cli() -> typer.Typer:
    """All commands, on one object that holds the global options."""
    given = Given({})
    cli = typer.Typer(
        name="passerine",
        help="A conversational search engine on your own documents: answers with the exact words that support them.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @cli.callback()
    def everywhere(
        home: Annotated[Path | None, typer.Option(help="Folder of index, models, database and settings.")] = None,
        set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any setting.")] = None,
        debug: Annotated[bool, typer.Option(help="Show traces, and log more.")] = False,
        _: Annotated[
            bool, typer.Option("--version", is_eager=True, callback=show_version, help="Say which version it is.")
        ] = False,
    ) -> None:
        log_to_stderr(debug)
        given.options, given.debug = overrides(home, set_ or []), debug

    reporting = reported(lambda: given.debug)
    for name, function in answering(given).items():
        cli.command(name)(reporting(function))
    source_commands.add(cli, given.application, reporting)
    commands.add(cli, given.settings, given.application, reporting)
    return cli


def overrides(home: Path | None, pairs: list[str]) -> dict[str, object]:
    """Settings from the command line. Usage errors (exit status 2) for what is no setting."""
    options: dict[str, object] = {"home": home} if home else {}
    for pair in pairs:
        name, found, value = pair.partition("=")
        if not found:
            raise typer.BadParameter(f"'{pair}' is not NAME=VALUE.", param_hint="--set")
        if name not in Settings.model_fields:
            hint = did_you_mean(name, Settings.model_fields)
            raise typer.BadParameter(f"'{name}' is not a setting. {hint}".strip(), param_hint="--set")
        options[name] = value
    return options


def answering(given: Given) -> dict[str, Callable[..., None]]:
    """The commands that people use daily."""

    def serve(
        host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
        port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on.")] = None,
        docs: Annotated[list[Path] | None, typer.Option(help="Your documents: a folder or file, read beside.")] = None,
        open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
        insecure_listen: Annotated[
            bool, typer.Option("--insecure-listen", help="Other machines may come, without keys.")
        ] = False,
    ) -> None:
        """Start the service and its page."""
        from service import serving

        for path in docs or []:
            if not path.exists():
                raise BadInput(f"There is no file or folder {path}.", "Check the path after --docs.")
        settings = given.settings(host=host, port=port, insecure_listen=insecure_listen or None)
        log_to_stderr(given.debug, logging.INFO, settings.log_format)
        application = build(settings)
        serving.check_address(settings, application.keys)
        serving.install_models(settings)
        application.recover()
        if not docs:
            serving.first_index(application)
        serving.serve(application, docs or [], open_, given.debug)

    def ask(
        question: Annotated[str, typer.Argument(help="What you want to know.")],
        conversation: Annotated[str, typer.Option(help="Go on with this conversation: its id, or 'last'.")] = "",
        mode: Annotated[Literal["careful", "fast"] | None, typer.Option(help="Several candidates, or one.")] = None,
        source: Annotated[list[str] | None, typer.Option(help="Only documents of this source.")] = None,
        language: Annotated[list[str] | None, typer.Option(help="Only documents in this language.")] = None,
        json_: Json = False,
    ) -> None:
        """Ask one question and print the answer with its quotes."""
        application = given.application()
        application.asking.check(question)
        if conversation == "last":
            conversation = next((summary.id for summary in application.conversations.list(1)), "")
        application.library.now().filled()
        filters = Filters(tuple(source or ()), tuple(language or ()))
        asked = Question(question, conversation, mode, filters)
        for event in application.asking.ask(asked, application.parts.now()):
            if isinstance(event, Done):
                if json_:
                    typer.echo(answer_json(event.answer))
                else:
                    show_answer(event.answer)

    def search(
        query: Annotated[str, typer.Argument(help="What to look for.")],
        k: Annotated[int, typer.Option("-k", min=1, max=100, help="Passages at most.")] = 5,
        source: Annotated[list[str] | None, typer.Option(help="Only documents of this source.")] = None,
        language: Annotated[list[str] | None, typer.Option(help="Only documents in this language.")] = None,
        json_: Json = False,
    ) -> None:
        """Find passages by words and by meaning."""
        application = given.application()
        application.asking.check(query)
        hits = application.library.now().search(query, k, Filters(tuple(source or ()), tuple(language or ())))
        if json_:
            shown = [HitOut.model_validate(hit) for hit in hits]
            typer.echo(SearchOut(query=query, hits=shown).model_dump_json())
        else:
            show_hits(hits)

    def evaluate(
        part: Annotated[Part, typer.Argument(help="What to measure.")],
        of: Annotated[
            Literal["index", "dense", "device"] | None,
            typer.Argument(help="speed: words or vectors beside others, or a search whole on one device."),
        ] = None,
        data: Annotated[Path, typer.Option(help="Folder of the evaluation data.")] = Path("../shared/data"),
        results: Annotated[Path, typer.Option("--out", help="Folder for tables and pictures.")] = Path("runs/evaluate"),
        limit: Annotated[int | None, typer.Option(min=1, help="Questions a set at most; absent: as usual.")] = None,
        before: Annotated[Path | None, typer.Option(help="gate: folder of `answers` with the live model.")] = None,
        after: Annotated[Path | None, typer.Option(help="gate: folder of `answers` with the new one.")] = None,
        model: Annotated[Path | None, typer.Option(help="gate, spans: folder of the new model.")] = None,
        adapter: Annotated[list[Path] | None, typer.Option(help="rlhf: an adapter; the first is the start.")] = None,
    ) -> None:
        """Measure quality or speed on data with known answers."""
        from importlib import import_module

        if part == "gate":
            if not (before and after and model):
                raise BadInput("The gate compares two runs.", "Name --before, --after and --model.")
            report = import_module("eval.gate").run_gate(before, after, model, results)
            out().print(import_module("eval.report").markdown(report), markup=False)
            return
        if part == "spans" and model is None:
            raise BadInput("No tuned reader is named.", "Name its folder with --model.")
        if of is not None:
            if part != "speed":
                raise BadInput(
                    f"{part} has no part {of}.", "Say `evaluate speed index`, `speed dense` or `speed device`."
                )
            with bar() as progress:
                measure = getattr(import_module(f"eval.{of}_speed"), f"run_{of}")
                report = measure(data, given.settings(), results, progress)
            out().print(import_module("eval.report").markdown(report), markup=False)
            return
        if part == "spelling":
            report = import_module("eval.spelling").run_spelling(results)
            out().print(import_module("eval.report").markdown(report), markup=False)
            return
        if part == "office":
            with bar() as progress:
                report = import_module("eval.office").run_office(results, given.settings(), progress, limit)
            out().print(import_module("eval.report").markdown(report), markup=False)
            return
        if part == "faults":
            with bar() as progress:
                report = import_module("eval.faults").run_faults(
                    results, progress, **({"kills": limit} if limit else {})
                )
            out().print(import_module("eval.report").markdown(report), markup=False)
            return
        if not data.is_dir():
            raise BadInput(f"There is no folder {data}.", "Name the evaluation data with --data.")
        module, settings = import_module(f"eval.{part}"), given.settings()
        fewer = {} if limit is None else {"limit": limit}
        with bar() as progress:
            if part in ("speed", "chat", "load"):
                report = module.run(data, settings, results, progress, **({} if part == "speed" else fewer))
            else:
                measure = getattr(module, f"run_{part}")
                own: dict[str, Any] = {"settings": settings} if part in ("answers", "calibrate", "loop") else {}
                own |= {"adapters": adapter or ()} if part == "rlhf" else {"model": model} if part == "spans" else {}
                report = measure(data, settings.home, results, progress=progress, **fewer, **own)
        out().print(import_module("eval.report").markdown(report), markup=False)

    return {"serve": serve, "ask": ask, "search": search, "evaluate": evaluate}


if __name__ == "__main__":
    main()
