"""What a job's ``sources`` may say: single sources, and patterns that are resolved anew at each run. Vocabulary.

A single source is ``user/<email>``, ``shared/<email>``, ``drive/<id>``, ``folder/<id>`` or ``file/<id>``, with ``me``
for the user that the connection acts as. A pattern is ``users/<glob>``, ``shared/<glob>`` or ``drives/<glob>``, or a
mapping that says more::

    {users: {domain: example.com, org_units: [/Sales], include: ["*"], exclude: ["robot-*"], admin: admin@example.com}}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal

from include.drive_backup.errors import ConfigError
from include.drive_backup.globs import folded
from include.drive_backup.model import SOURCE_KINDS, Source, Struct

#: The id of a source that stands for the user that the connection acts as.
ME = "me"

_GLOB = re.compile(r"[*?\[]")
#: Config word to the kind of source that it finds.
_WORDS: dict[str, Literal["user", "shared", "drive"]] = {"users": "user", "shared": "shared", "drives": "drive"}
_KEYS = {
    "user": ("domain", "org_units", "include", "exclude", "admin"),
    "shared": ("domain", "org_units", "include", "exclude", "admin"),
    "drive": ("include", "exclude", "admin"),
}
_LISTS = ("org_units", "include", "exclude")


class Selection(Struct, frozen=True):
    """A pattern. Globs are compared without regard to letter case.

    ``include`` and ``exclude`` are globs on a user's address, or on a shared drive's name or id. ``org_units`` are
    paths of organisational units, each with those below it. ``admin`` is the administrator to ask as; None: the user
    that the connection acts as.
    """

    kind: Literal["user", "shared", "drive"]
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    domain: str | None = None
    org_units: tuple[str, ...] = ()
    admin: str | None = None

    def __str__(self) -> str:
        word = next(word for word, kind in _WORDS.items() if kind == self.kind)
        return ", ".join(f"{word}/{glob}" for glob in self.include)

    def names(self, *names: str) -> bool:
        """Whether the globs choose something of these names."""
        alike = [folded(name) for name in names]

        def one_of(globs: tuple[str, ...]) -> bool:
            # The name of a shared drive may look like a glob: then it means that drive, too.
            return any(name == folded(glob) or fnmatchcase(name, folded(glob)) for glob in globs for name in alike)

        return one_of(self.include) and not one_of(self.exclude)

    def holds_unit(self, path: str) -> bool:
        """Whether users of this organisational unit are meant."""
        units = [folded(unit.rstrip("/")) for unit in self.org_units]
        return not units or any(f"{folded(path.rstrip('/'))}/".startswith(f"{unit}/") for unit in units)


Entry = Source | Selection


def parse_entry(value: Any) -> Entry:
    """Read one entry of ``sources``.

    :raises ConfigError: with what is allowed.
    """
    if isinstance(value, Mapping):
        return _from_mapping(value)
    if not isinstance(value, str):
        raise ConfigError(f"{value!r} is not a source. Write e.g. user/ann@example.com, users/* or drives/*.")
    word, _, rest = value.strip().partition("/")
    if rest and (word in ("users", "drives") or (word == "shared" and _GLOB.search(rest))):
        return Selection(kind=_WORDS[word], include=(rest,))
    if word in SOURCE_KINDS and _GLOB.search(rest):
        plural = f"{word}s/{rest}" if f"{word}s" in _WORDS else f"a single {word}"
        raise ConfigError(f"'{value}' has a wildcard, and names one {word}. Write {plural} instead.")
    return Source.parse(value)


def _from_mapping(value: Mapping[Any, Any]) -> Selection:
    word = next(iter(value), None)
    if len(value) != 1 or word not in _WORDS:
        raise ConfigError(
            f"{dict(value)!r} is not a source. A mapping has one key, users, shared or drives, "
            'e.g. {users: {exclude: ["robot-*"]}}.'
        )
    kind, body = _WORDS[word], {} if value[word] is None else value[word]
    allowed = _KEYS[kind]
    if not isinstance(body, Mapping) or set(body) - set(allowed):
        raise ConfigError(f"{word}: {body!r} is not allowed. Write a mapping of {', '.join(allowed)}.")
    _check_values(word, body)
    fields: dict[str, Any] = {
        name: tuple(each) if name in _LISTS else each for name, each in body.items() if each is not None
    }
    return Selection(kind=kind, **fields)


def _check_values(word: str, body: Mapping[str, Any]) -> None:
    for name, value in body.items():
        if name in _LISTS and not (isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)):
            raise ConfigError(f"{word}.{name}: {value!r} is not allowed. Write a list of texts.")
        if name not in _LISTS and value is not None and not (isinstance(value, str) and value.strip()):
            raise ConfigError(f"{word}.{name}: {value!r} is not allowed. Write a text, or leave it out.")
    if body.get("include") == []:
        raise ConfigError(f"{word}.include: an empty list finds nothing. Leave it out to find everything.")
    for unit in body.get("org_units") or ():
        if not unit.startswith("/"):
            raise ConfigError(f"{word}.org_units: '{unit}' is not a path. Write it from the top, e.g. /Sales/Europe.")
    if "@" not in str(body.get("admin") or "@"):
        raise ConfigError(f"{word}.admin: '{body['admin']}' is not an e-mail address. Name an administrator's.")
