"""What goes wrong on purpose."""

from __future__ import annotations

import random
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

Kind = Literal["error", "html", "hang", "cut", "corrupt", "stall"]
BODY_KINDS = frozenset({"cut", "corrupt", "stall"})


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """One fault.

    :ivar kind: ``error`` (JSON, by ``status`` and ``reason``), ``html`` (a front end's page with ``status``), ``hang``
        (no answer for ``seconds``), and for bodies ``cut`` (the connection ends after ``at`` bytes), ``corrupt`` (the
        byte at ``at`` is flipped), ``stall`` (nothing for ``seconds`` after ``at`` bytes).
    :ivar routes: patterns such as ``files.list``, ``files.get.media``, ``files.*``, ``token``; empty for every call.
    :ivar files: file ids; empty for all.
    :ivar users: e-mail addresses; empty for all.
    :ivar rate: the share of matching calls it strikes.
    :ivar count: how many calls it strikes before it is used up; None for no end.
    :ivar skip: matching calls that it lets pass first.
    :ivar retry_after: seconds for a ``Retry-After`` header; None for none.
    :ivar at: position in the body, in bytes; negative counts from its end.
    """

    kind: Kind
    routes: list[str] = []
    files: list[str] = []
    users: list[str] = []
    rate: float = 1.0
    count: int | None = None
    skip: int = 0
    status: int = 503
    reason: str = "backendError"
    message: str | None = None
    retry_after: float | None = None
    at: int = 0
    seconds: float = 3600.0

    def concerns(self, route: str, file_id: str, user: str) -> bool:
        """Whether a call is one that it may strike."""
        return (
            (not self.routes or any(fnmatchcase(route, pattern) for pattern in self.routes))
            and (not self.files or file_id in self.files)
            and (not self.users or user in self.users)
        )


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    """How this Drive behaves all the time.

    :ivar latency_ms: added to every metadata call.
    :ivar media_latency_ms: added before the first byte of every download and export.
    :ivar bandwidth: bytes a second for each body; 0 for no limit.
    :ivar listing_lag_ms: how long listings leave out new items.
    :ivar incomplete_search: ``incompleteSearch`` in every listing, and every tenth item left out of it.
    :ivar empty_page_every: each n-th page of a listing is empty but has a token; 0 for none.
    :ivar page_cap: no page has more entries, whatever is asked; 0 for Drive's own caps.
    :ivar page_token_ms: lifetime of listing tokens.
    :ivar multi_parent_fault: a query with more than one parent term finds nothing.
    :ivar login_page: export links answer 200 with an HTML login page.
    :ivar export_redirect: export links answer with a redirect first.
    :ivar export_limit: bytes that ``files.export`` gives at most.
    :ivar operation_ms: how long ``files.download`` operations take.
    """

    latency_ms: float = 0
    media_latency_ms: float = 0
    bandwidth: int = 0
    listing_lag_ms: int = 0
    incomplete_search: bool = False
    empty_page_every: int = 0
    page_cap: int = 0
    page_token_ms: int = 6 * 3600 * 1000
    multi_parent_fault: bool = False
    login_page: bool = False
    export_redirect: bool = False
    export_limit: int = 10_000_000
    operation_ms: int = 0


class Faults:
    """The settings, and the rules that strike single calls. Which calls a rate strikes depends on the seed alone."""

    def __init__(self, seed: int = 1) -> None:
        self.settings = Settings()
        self.rules: list[Rule] = []
        self.struck = 0
        self._random = random.Random(seed)

    def strike(self, route: str, file_id: str, user: str, *, body: bool) -> Rule | None:
        """The rule that strikes this call, if one does; it is counted as used.

        :param body: look for faults of bodies, else for those of whole calls.
        """
        for rule in self.rules:
            if (rule.kind in BODY_KINDS) is body and rule.concerns(route, file_id, user) and self._fires(rule):
                self.struck += 1
                return rule
        return None

    def _fires(self, rule: Rule) -> bool:
        if rule.skip > 0:
            rule.skip -= 1
            return False
        if rule.count == 0 or (rule.rate < 1 and self._random.random() >= rule.rate):
            return False
        if rule.count is not None:
            rule.count -= 1
        return True
