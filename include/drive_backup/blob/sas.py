"""What a shared access signature says of itself, so that a refusal can be told in its own words. Pure.

Source: Azure Storage REST reference, "Create a service SAS", "Create a user delegation SAS". Its signature is a secret:
nothing but its times and letters is ever shown.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

#: Its own times and those of a user delegation key, the nearest bound first.
_ENDS = (("se", "The SAS"), ("ske", "The key that signed the SAS"))
_STARTS = (("st", "The SAS"), ("skt", "The key that signed the SAS"))
_CLOCK = "by the service's clock it is {now}."
_EXPIRED = "{what} expired at {then} ({key}); " + _CLOCK + " Make a new SAS."
_EARLY = "{what} is not valid before {then} ({key}); " + _CLOCK + " Wait, or make one that begins earlier."
_LACKS = "The SAS has {letters} (sp) and lacks {lacks}. Make one with {needs}."
_BOUNDS = {
    "AuthorizationSourceIPMismatch": "The SAS may not be used from this network address (sip).",
    "AuthorizationProtocolMismatch": "The SAS may be used over https only (spr). Write the URL with https.",
    "AuthorizationResourceTypeMismatch": "The SAS is not for containers and blobs (srt). Make one with srt=co.",
    "AuthorizationServiceMismatch": "The SAS is not for Blob Storage (ss). Make one with ss=b.",
}
_SIGNATURE = (
    "The SAS is of another container or account, was changed or cut when it was copied, or the key that signed it was "
    "renewed. Make a new one, and put the URL in single quotes."
)
_NOT_WHOLE = "It has no {lacks}. Copy it again, and put the URL in single quotes."
_BAD_ESCAPE = "It has a '%' that is followed by no two hex digits. Copy it again, as it was made."


def malformed(sas: str) -> str | None:
    """Why a text is no whole SAS, as a sentence; None: it may be one."""
    facts = _facts(sas)
    lacks = [f"{key}=" for key in ("sv", "sig") if not facts.get(key)]
    if lacks:
        return _NOT_WHOLE.format(lacks=" and no ".join(lacks))
    return _BAD_ESCAPE if re.search(r"%(?![0-9A-Fa-f]{2})", sas) else None


def why_refused(sas: str, *, code: str, needs: str, now: datetime | None, detail: str = "") -> str:
    """Why the service refuses a SAS, as sentences; empty: nothing of it says why.

    :param code: the service's error code.
    :param needs: the letters that a SAS has to have for what was tried.
    :param now: by the service's clock; None: it did not say.
    :param detail: the service's ``AuthenticationErrorDetail``.
    """
    facts = _facts(sas)
    said = ("" if now is None else _out_of_time(facts, now)) or _BOUNDS.get(code, "")
    if not said and code == "AuthorizationPermissionMismatch":
        said = _lacking(facts, needs)
    if not said and code == "AuthenticationFailed":
        # A stored access policy (si) has its times elsewhere.
        advice = "Make a new SAS." if "time frame" in detail else _SIGNATURE
        said = f"{_told(detail, facts)}{advice}"
    return said


def _facts(sas: str) -> dict[str, str]:
    return dict(parse_qsl(sas.strip().lstrip("?"), keep_blank_values=True))


def _out_of_time(facts: dict[str, str], now: datetime) -> str:
    for keys, sentence, over in ((_ENDS, _EXPIRED, 1), (_STARTS, _EARLY, -1)):
        for key, what in keys:
            then = _moment(facts.get(key, ""))
            if then is not None and (now - then).total_seconds() * over > 0:
                return sentence.format(what=what, key=key, then=_shown(then), now=_shown(now))
    return ""


def _lacking(facts: dict[str, str], needs: str) -> str:
    """Rights of a stored access policy (si) are not in the SAS."""
    has = facts.get("sp")
    lacks = [letter for letter in needs if letter not in (has or "")]
    if has is None or not lacks:
        return ""
    letters = f"the letters {', '.join(filter(str.isalpha, has[:20]))}" if has else "no letters"
    return _LACKS.format(letters=letters, lacks=", ".join(lacks), needs=", ".join(needs))


def _told(detail: str, facts: dict[str, str]) -> str:
    """The first sentence of the service's own words: behind it may be what was signed."""
    first = detail.strip().partition("\n")[0].partition(" String to sign")[0].strip()
    signature = facts.get("sig", "")
    if not first or not first.isprintable() or signature in first or quote(signature, safe="") in first:
        return ""
    return f"Azure says: {first[:200].removesuffix('.')}. "


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%SZ}"
