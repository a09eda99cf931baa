"""`passerine index`: what is in the index, whether it is whole, mending it, and its documents as JSON Lines."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from indexing.store import Index
from indexing.table_rows import MEND_HINT, Place
from indexing.types import IndexDamaged, StorageFailed
from service.config import Settings
from service.console import bar, err, interruptible, out, show_table
from service.library import open_collection, problems, repair_index, where

REPAIR_HINT = "`passerine index repair` makes anew what can be made from the stored texts."
Reporting = Callable[[Callable[..., Any]], Callable[..., Any]]


def index_commands(settings: Callable[[], Settings], reporting: Reporting) -> typer.Typer:
    """passerine index inspect | verify | repair | export"""
    group = typer.Typer(help="The index: inspect, verify, repair, export.", no_args_is_help=True)

    def inspect() -> None:
        """Sources, segments (of a table: fragments), deleted passages, bytes and formats; what is damaged is named."""
        place = where(settings())
        parts = fragments_of(place) if isinstance(place, Place) else segments_of(place)
        try:
            index = open_collection(place)
        except IndexDamaged as error:
            show_table("", *parts)
            raise error from None
        facts, counts = index.meta(), index.counts()
        rows = [
            *((("table", place.uri),) if isinstance(place, Place) else (("folder", str(place)),)),
            ("format", facts["format"]),
            ("generation", str(index.generation)),
            ("encoder", f"{facts['encoder']}, {facts['dimension']} numbers a passage"),
            ("BM25", f"k1 {facts['k1']}, b {facts['b']}"),
            ("size", f"{counts.documents:,} documents in {counts.passages:,} passages, {counts.bytes / 1e6:,.1f} MB"),
            *((f"  {source.source}", f"{source.documents:,} documents") for source in index.sources()),
        ]
        show_table("", ("", ""), rows)
        show_table("", *parts)
        index.close()

    def verify() -> None:
        """Read every file and text, and compare checksums."""
        place = where(settings())
        faults = problems(place)
        for fault in faults:
            out().print(fault, markup=False)
        if faults:
            err().print(MEND_HINT if isinstance(place, Place) else REPAIR_HINT, markup=False)
            raise typer.Exit(1)
        if isinstance(place, Place):
            out().print(f"All rows of {place.uri} are whole.", markup=False)
        else:
            out().print(f"All files of {place} are whole.", markup=False)

    def repair() -> None:
        """Take out damaged documents, and make segments anew from the stored texts; whole vectors are kept."""
        from models.encoder import load_encoder

        chosen = settings()
        if not problems(where(chosen)):
            out().print("Nothing is damaged.")
            return
        encoder = load_encoder(chosen.encoder, chosen.home, chosen.device, chosen.precision)
        with interruptible() as stopped, bar() as progress:
            done = repair_index(where(chosen), encoder, progress, stopped)
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

        index = open_collection(where(settings()))
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


Shown = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""The heads and the rows of a table on the terminal."""


def segments_of(folder: Path) -> Shown:
    """The segments of an index folder."""
    from indexing import inventory

    index = Index.open(folder)
    found = inventory.segments(index)
    index.close()
    return ("segment", "passages", "deleted", "MB", "postings", "bytes a posting", "vectors", ""), [
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
    ]


def fragments_of(place: Place) -> Shown:
    """The fragments of a table."""
    from indexing.table_upkeep import fragments

    return ("fragment", "documents", "passages", "deleted rows", "MB", ""), [
        (
            str(one.number),
            f"{one.documents:,}",
            f"{one.passages:,}",
            f"{one.dead:,}",
            f"{one.bytes / 1e6:,.1f}",
            one.problem or "whole",
        )
        for one in fragments(place)
    ]
