"""Under which condition a blob is written: create only, or in the place of one blob that was looked at. Pure.

Source: Azure Storage REST reference, "Specifying conditional headers for Blob service operations".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from azure.core import MatchConditions


@dataclass(frozen=True)
class Condition:
    """The same condition for both ways to the service.

    :param headers: names in lower case.
    :param options: keyword arguments of the SDK.
    """

    headers: dict[str, str]
    options: dict[str, Any]


#: There is no blob of the name.
CREATE = Condition({"if-none-match": "*"}, {"match_condition": MatchConditions.IfMissing})


def still(etag: str) -> Condition:
    """The blob of the name is still the one with the ETag.

    :param etag: without quotes.
    """
    quoted = f'"{etag}"'
    return Condition({"if-match": quoted}, {"etag": quoted, "match_condition": MatchConditions.IfNotModified})
