"""`passerine index`: what is in the index, whether it is whole, mending it, and its documents as JSON Lines."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from indexing.store import Index
from indexing.types import StorageFailed
from service.config import Settings
from service.console import bar, err, interruptible, out, show_table
from service.library import problems, repair_index

Reporting = Callable[[Callable[..., Any]], Callable[..., Any]]


def index_commands(settings: Callable[[], Settings], reporting: Reporting) -> typer.Typer:
    """passerine index inspect | verify | repair | export"""
    group = typer.Typer(help="The index: inspect, verify, repair, export.", no_args_is_help=True)

    def inspect() -> None:
        """Sources, segments, deleted passages, bytes and formats."""
        from indexing import inventory

        index = Index.open(settings().index_folder)
        facts, counts, found = index.meta(), index.counts(), inventory.segments(index)
        rows = [
            ("folder", index.folder),
            ("format", facts["format"]),
            ("generation", facts["generation"]),
            ("encoder", f"{facts['encoder']}, {facts['dimension']} numbers a passage"),
            ("BM25", f"k1 {facts['k1']}, b {facts['b']}"),
            ("size", f"{counts.documents:,} documents in {counts.passages:,} passages, {counts.bytes / 1e6:,.1f} MB"),
            *((f"  {source.source}", f"{source.documents:,} documents") for source in index.sources()),
        ]
        show_table("", ("", ""), rows)
        heads = ("segment", "passages", "deleted", "MB", "postings", "bytes a posting", "vectors", "")
        show_table(
            "",
            heads,
            [
                (
                    one.name[:8],
                    f"{one.passages:,}",
                    f"{one.dead:,}",
                    f"{one.bytes / 1e6:,.1f}",
                    f"{one.postings:,}",
                    f"{one.packed / one.postings:.2f}" if one.postings else "-",
                    f"{one.lists:,} lists" if one.lists else "exact",
                    one.problem or "whole",
                )
                for one in found
            ],
        )
        index.close()

    def verify() -> None:
        """Read every file and text, and compare checksums."""
        folder = settings().index_folder
        faults = problems(folder)
        for fault in faults:
            out().print(fault, markup=False)
        if faults:
            err().print("`passerine index repair` makes anew what can be made from the stored texts.", markup=False)
            raise typer.Exit(1)
        out().print(f"All files of {folder} are whole.", markup=False)

    def repair() -> None:
        """Take out damaged documents, and make segments anew from the stored texts; whole vectors are kept."""
        from models.encoder import load_encoder

        chosen = settings()
        if not problems(chosen.index_folder):
            out().print("Nothing is damaged.")
            return
        encoder = load_encoder(chosen.encoder, chosen.home, chosen.device, chosen.precision)
        with interruptible() as stopped, bar() as progress:
            done = repair_index(chosen.index_folder, encoder, progress, stopped)
        for each in done.removed:
            out().print(each, markup=False)
        out().print(str(done), markup=False)

    def export(
        file: Annotated[
            Path | None, typer.Argument(help="Where to write; absent: to the terminal.", show_default=False)
        ] = None,
        source: Annotated[str | None, typer.Option(help="Only documents of this source.")] = None,
    ) -> None:
        """Write the documents as JSON Lines, which `passerine refresh` reads."""
        from indexing.inventory import records

        index = Index.open(settings().index_folder)
        if file is None:
            sys.stdout.writelines(records(index, source))
            return
        try:
            with file.open("w", encoding="utf-8") as target:
                count = sum(1 for line in records(index, source) if target.write(line))
        except OSError as error:
            raise StorageFailed(f"{file} could not be written: {error.strerror}.", "Name another file.") from error
        err().print(f"{count:,} documents in {file}", markup=False)

    own: dict[str, Callable[..., None]] = {"inspect": inspect, "verify": verify, "repair": repair, "export": export}
    for name, function in own.items():
        group.command(name)(reporting(function))
    return group
