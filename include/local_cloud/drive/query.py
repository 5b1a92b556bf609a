"""The search language of ``files.list``'s ``q``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from include.local_cloud.drive.errors import ApiError, bad_request
from include.local_cloud.drive.model import Item
from include.local_cloud.drive.terms import TERMS, Test, Viewer, bad_query

MAX_TERMS = 300
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<operator><=|>=|!=|=|<|>)
    | (?P<punctuation>[(){}])
    | (?P<word>[A-Za-z][\w.]*)
    )""",
    re.VERBOSE | re.DOTALL,
)
Operand = tuple[str, str]


@dataclass(frozen=True)
class Query:
    """A compiled query.

    :ivar test: whether an item matches.
    :ivar parents: when set, only direct children of these folders can match.
    :ivar parent_terms: how many terms ask for a parent.
    :ivar full_text: whether a ``fullText`` term is in it (then nothing may be sorted).
    """

    test: Test
    parents: frozenset[str] | None = None
    parent_terms: int = 0
    full_text: bool = False


def everything(_item: Item) -> bool:
    """The test of an empty query."""
    return True


def compile_query(text: str | None, viewer: Viewer) -> Query:
    """Read a query for a user.

    :raises ApiError: 400 ``invalid`` when it cannot be read, ``badRequest`` when it is too complex.
    """
    if not text or not text.strip():
        return Query(everything)
    parser = _Parser(_tokens(text), viewer)
    query = parser.expression()
    if parser.tokens:
        raise bad_query()
    return query


def _tokens(text: str) -> list[Operand]:
    found: list[Operand] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise bad_query()
        value = match[match.lastgroup]
        if match.lastgroup == "string":
            value = re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)
        found.append((match.lastgroup, value))
        position = match.end()
    return found[::-1]


class _Parser:
    def __init__(self, tokens: list[Operand], viewer: Viewer) -> None:
        self.tokens = tokens
        self.viewer = viewer
        self.terms = 0

    def take(self) -> Operand:
        if not self.tokens:
            raise bad_query()
        return self.tokens.pop()

    def takes(self, *words: str) -> str | None:
        """Take the next token if it is one of these words or signs."""
        if self.tokens and self.tokens[-1][0] in {"word", "punctuation"} and self.tokens[-1][1].lower() in words:
            return self.tokens.pop()[1].lower()
        return None

    def expression(self) -> Query:
        """``and`` and ``or`` bind alike, from left to right (guide: Search for shared drives)."""
        left = self.operand()
        while (joint := self.takes("and", "or")) is not None:
            left = _both(left, self.operand()) if joint == "and" else _either(left, self.operand())
        return left

    def operand(self) -> Query:
        if self.takes("not"):
            return _negated(self.operand())
        if self.takes("("):
            inside = self.expression()
            if not self.takes(")"):
                raise bad_query()
            return inside
        self.terms += 1
        if self.terms > MAX_TERMS:
            raise bad_request("The query is too complex.")
        return self.term()

    def term(self) -> Query:
        kind, value = self.take()
        if kind == "string":
            return self.membership(value)
        if kind != "word":
            raise bad_query()
        if value == "sharedWithMe" and not (self.tokens and self.tokens[-1][0] == "operator"):
            return Query(TERMS[value]("=", "true", self.viewer))
        if value in {"properties", "appProperties"}:
            return self.property(value)
        operator = self.operator()
        operand_kind, operand = self.take()
        if value not in TERMS or (operand_kind == "string") == (value in {"trashed", "starred", "sharedWithMe"}):
            raise bad_query()
        return Query(TERMS[value](operator, operand, self.viewer), full_text=value == "fullText")

    def operator(self) -> str:
        kind, value = self.take()
        if kind == "operator" or (kind == "word" and value.lower() == "contains"):
            return value.lower()
        raise bad_query()

    def membership(self, value: str) -> Query:
        """``'value' in collection``."""
        if not self.takes("in"):
            raise bad_query()
        kind, collection = self.take()
        if kind != "word" or collection not in {"parents", "owners", "writers", "readers", "labels"}:
            raise bad_query()
        if collection != "parents":
            return Query(TERMS[collection]("in", value, self.viewer))
        folder = self.viewer.resolve(value)
        return Query(lambda item: folder in self.viewer.visible_parents(item), frozenset({folder}), 1)

    def property(self, name: str) -> Query:
        """``properties has { key='k' and value='v' }``."""
        if not self.takes("has") or not self.takes("{"):
            raise bad_query()
        key = self.pair("key")
        if not self.takes("and"):
            raise bad_query()
        value = self.pair("value")
        if not self.takes("}"):
            raise bad_query()
        return Query(lambda item: (item.fields.get(name) or {}).get(key) == value)

    def pair(self, word: str) -> str:
        if not self.takes(word) or self.take() != ("operator", "="):
            raise bad_query()
        kind, value = self.take()
        if kind != "string":
            raise bad_query()
        return value


def _joined(left: Query, right: Query, test: Test, parents: frozenset[str] | None) -> Query:
    return Query(test, parents, left.parent_terms + right.parent_terms, left.full_text or right.full_text)


def _both(left: Query, right: Query) -> Query:
    first, second = left.test, right.test
    if left.parents is None or right.parents is None:
        parents = right.parents if left.parents is None else left.parents
    else:
        parents = left.parents
    return _joined(left, right, lambda item: first(item) and second(item), parents)


def _either(left: Query, right: Query) -> Query:
    first, second = left.test, right.test
    bounded = left.parents is not None and right.parents is not None
    parents = (left.parents or frozenset()) | (right.parents or frozenset()) if bounded else None
    return _joined(left, right, lambda item: first(item) or second(item), parents)


def _negated(query: Query) -> Query:
    test: Callable[[Item], bool] = query.test
    return Query(lambda item: not test(item), None, query.parent_terms, query.full_text)


def no_sorting() -> ApiError:
    """Drive's answer to ``orderBy`` with ``fullText``."""
    return ApiError(
        400,
        "badRequest",
        "Sorting is not supported for queries with fullText terms. Results are always in descending relevance order.",
        location="orderBy",
    )
