"""passerine key: who may use the service over HTTP."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from service.application import Application
from service.console import err, out, show_table
from service.keys import LOCAL, MOST_PER_MINUTE, Scope

Reporting = Callable[[Callable[..., Any]], Callable[..., Any]]


def key_commands(application: Callable[[], Application], reporting: Reporting) -> typer.Typer:
    """passerine key add | list | revoke"""
    group = typer.Typer(help="Keys of the HTTP interface: add, list, revoke.", no_args_is_help=True)

    def add_key(
        name: Annotated[str, typer.Argument(help="Who or what will use it.")],
        scope: Annotated[
            Scope, typer.Option(help="read: search and ask; write: also documents; admin: also sources and keys.")
        ] = "read",
        per_minute: Annotated[
            int | None, typer.Option(min=1, max=MOST_PER_MINUTE, help="Requests a minute; absent: no limit.")
        ] = None,
        days: Annotated[int | None, typer.Option(min=1, max=36_500, help="Expires then; absent: never.")] = None,
        takes_over: Annotated[
            str, typer.Option(help=f"Gets this key's conversations and feedback; '{LOCAL}': those made without a key.")
        ] = "",
    ) -> None:
        """Make a key and print it, this once. From the first key on, every request over HTTP needs one."""
        own, expires_at = application(), datetime.now(UTC) + timedelta(days=days) if days else None
        key, secret = own.keys.add(name, scope, per_minute, expires_at)
        out().print(secret, markup=False)
        if takes_over:
            count = own.conversations.of(key.id).take_over("" if takes_over == LOCAL else takes_over)
            err().print(f"{count:,} conversations are its own from now on.", markup=False)
        err().print(
            f"{key.id} ({key.scope}) is {key.name}. It is not shown again; `passerine key revoke {key.id}` ends it.",
            markup=False,
        )

    def listing() -> None:
        """The keys by their first letters: for what, how far, last used, and whether they are live."""
        keys = application().keys
        found = keys.list(keys.count())
        if not found:
            out().print("There is no key. `passerine key add NAME` makes one.", markup=False)
            return
        rows = [
            (key.id, key.name, key.scope, key.per_minute or "", day(key.created_at), day(key.used_at), told)
            for key in found
            for told in [f"until {day(key.expires_at)}" if key.state == "live" and key.expires_at else key.state]
        ]
        show_table("", ("key", "name", "scope", "a minute", "made", "last used", "state"), rows)

    def revoke(
        key: Annotated[str, typer.Argument(help="Its first letters, as `passerine key list` shows them.")],
        forget: Annotated[
            bool, typer.Option("--forget", help="Also off the list; without any key, loopback is open again.")
        ] = False,
    ) -> None:
        """End a key: from now on it opens nothing. What it asked is kept, and shown to no other key."""
        keys = application().keys
        if forget:
            keys.forget(key)
        else:
            keys.revoke(key)
        out().print(f"{key} opens nothing any more.", markup=False)

    own: dict[str, Callable[..., None]] = {"add": add_key, "list": listing, "revoke": revoke}
    for name, function in own.items():
        group.command(name)(reporting(function))
    return group


def day(moment: datetime | None) -> str:
    return f"{moment.astimezone():%Y-%m-%d}" if moment else ""
