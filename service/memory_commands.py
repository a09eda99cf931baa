"""passerine memory: what was said on this machine, without a key, about the person who said it."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from service.application import Application
from service.console import err, out, show_table
from service.key_commands import day

Reporting = Callable[[Callable[..., Any]], Callable[..., Any]]
Owner = Annotated[str, typer.Option("--key", help="Of this key (its first letters); absent: said without a key.")]


def memory_commands(application: Callable[[], Application], reporting: Reporting) -> typer.Typer:
    """passerine memory list | edit | forget"""
    group = typer.Typer(help="What Passerine remembers of a person: list, edit, forget.", no_args_is_help=True)

    def listing(key: Owner = "") -> None:
        """What is remembered, oldest first."""
        opened = application()
        if not opened.settings.memory:
            err().print("The setting `memory` is off: nothing is added, and nothing of this is used.", markup=False)
        found = opened.memories.of(key).list()
        if found:
            show_table("", ("id", "said", "kept"), [(one.id, one.text, day(one.created_at)) for one in found])
        else:
            out().print("Nothing is remembered.", markup=False)

    def edit(
        memory: Annotated[str, typer.Argument(help="Its id, as `passerine memory list` shows it.")],
        text: Annotated[str, typer.Argument(help="One plain sentence about the person.")],
        key: Owner = "",
    ) -> None:
        """Put a fact in other words."""
        out().print(application().memories.of(key).edit(memory, text).text, markup=False)

    def forget(
        memory: Annotated[str, typer.Argument(help="Its id.", show_default=False)] = "",
        every: Annotated[bool, typer.Option("--all", help="Everything.")] = False,
        key: Owner = "",
    ) -> None:
        """Forget a fact, or all."""
        kept = application().memories.of(key)
        if every:
            count = kept.clear()
            out().print("1 fact is forgotten." if count == 1 else f"{count:,} facts are forgotten.", markup=False)
        else:
            kept.forget(memory)
            out().print("It is forgotten.", markup=False)

    own: dict[str, Callable[..., None]] = {"list": listing, "edit": edit, "forget": forget}
    for name, function in own.items():
        group.command(name)(reporting(function))
    return group
