"""Chinese in either script, read as one."""

from functools import cache
from importlib import resources


def simplified(text: str) -> str:
    """A text with its traditional characters written as simplified ones, one for one: places in it stay the same.

    >>> simplified("太空梭與衛星, 1981")
    '太空梭与卫星, 1981'
    """
    return text if text.isascii() else text.translate(table())


@cache
def table() -> dict[int, str]:
    """Traditional -> simplified character, OpenCC's first choice (its table is under Apache-2.0)."""
    lines = (
        resources.files("opencc").joinpath("dictionary", "TSCharacters.txt").read_text(encoding="utf-8").splitlines()
    )
    pairs = (line.split() for line in lines if line.strip())
    return {ord(pair[0]): pair[1] for pair in pairs if len(pair[0]) == len(pair[1]) == 1}
