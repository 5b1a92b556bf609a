"""HTTP to Drive: one aiohttp session, paced, retried, counted. Knows URLs and headers, not what files are."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import msgspec
from yarl import URL

from include.drive_backup.drive.errors import UnexpectedAnswerError, error_from
from include.drive_backup.drive.hosts import may_have_token
from include.drive_backup.drive.tokens import Tokens
from include.drive_backup.errors import DriveBackupError, ItemLaterError, RateLimitError, ServiceUnavailableError
from include.drive_backup.model import ApiUse
from include.drive_backup.pacing import DOWNLOAD_UNITS, GET_UNITS, Backoff, QuotaLimiter, is_transient, retry
from include.drive_backup.ports import Clock
from include.drive_backup.proxy import proxy_for

Result = TypeVar("Result")

DEFAULT_ENDPOINT = "https://www.googleapis.com"
_SERVICE = "drive/v3"

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 8
#: google-auth renews twice for one request (``google.auth.transport.DEFAULT_MAX_REFRESH_ATTEMPTS``). Once more: the
#: next 401 ends the run for good, and Drive is known to give some without cause.
_MAX_RENEWALS = 3
#: Of a whole number: msgspec reads no more, and Python few more.
_MOST_DIGITS = 300
_ERROR_BODY = 64 * 1024
#: Drive compresses for clients whose User-Agent says gzip (guide "Improve performance").
_USER_AGENT = "drive-backup (gzip)"


@dataclass(frozen=True)
class DriveSettings:
    """How to call.

    :param attempts: of one request, until an answer begins. A body that breaks off is the caller's business.
    :param connect_timeout: seconds to open a connection.
    :param read_timeout: seconds without a byte. There is no limit to the whole: files are large, exports are slow.
    :param connections: open at once; further calls wait.
    :param acknowledge_abuse: download what Drive flagged as malware when the account owns it.
    """

    attempts: int = 6
    connect_timeout: float = 30.0
    read_timeout: float = 120.0
    connections: int = 256
    acknowledge_abuse: bool = False


@dataclass(frozen=True)
class Answer:
    """A whole answer to a call that writes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self, what: str) -> dict[str, Any]:
        """The JSON object in it.

        :raises ServiceUnavailableError: there is none.
        """
        try:
            return _object(self.body)
        except (ValueError, TypeError) as broken:
            raise _unreachable(broken, what) from broken


class DriveClient:
    """An async context manager; all calls of one credential go through one of these.

    :param api_endpoint: root of the API, with or without ``/drive/v3``.
    :param service: what the paths of this API begin with.
    :param limiter: the quota budget that all calls share.
    :param chance: random numbers in [0, 1) for the jitter.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        limiter: QuotaLimiter,
        clock: Clock,
        api_endpoint: str = DEFAULT_ENDPOINT,
        service: str = _SERVICE,
        settings: DriveSettings | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings or DriveSettings()
        self.tokens = tokens
        self._limiter = limiter
        self._clock = clock
        self._chance = chance
        self._base = URL(api_endpoint.rstrip("/").removesuffix(f"/{_SERVICE}"))
        self._service = service
        self._session: aiohttp.ClientSession | None = None
        self._calls = self._units = self._bytes = 0
        self.strain = 0

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self.settings.connect_timeout, sock_read=self.settings.read_timeout
        )
        self._session = aiohttp.ClientSession(
            timeout=timeout,
            connector=aiohttp.TCPConnector(limit=self.settings.connections),
            # A cookie of one file's export must not travel to the next.
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=512 * 1024,
            max_field_size=32 * 1024,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def use(self) -> ApiUse:
        """Requests sent (repeated ones too), their units, and bytes of file contents received."""
        return ApiUse(calls=self._calls, units=self._units, bytes=self._bytes)

    @property
    def clock(self) -> Clock:
        """The clock that this client waits by."""
        return self._clock

    def received(self, count: int) -> None:
        """Account for bytes of content."""
        self._bytes += count
        self._limiter.received(count)

    async def get_json(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        units: int = GET_UNITS,
        what: str,
        resource_keys: str | None = None,
        method: str = "GET",
        tokens: Tokens | None = None,
        writing: bool = False,
    ) -> dict[str, Any]:
        """One API call that answers JSON.

        :param path: below the service, such as ``/drive/v3/``, ids quoted.
        :param units: quota units that the call costs.
        :param what: what is asked for, for error sentences.
        :param resource_keys: value of ``X-Goog-Drive-Resource-Keys``.
        :param tokens: those of another user, to ask as; their calls count as this client's.
        :param writing: it is needed for writing, and so is what a refusal advises.
        :raises UnexpectedAnswerError: and the errors of :func:`~include.drive_backup.drive.errors.error_from`.
        """
        headers = _headers("gzip", resource_keys)

        async def fetch() -> dict[str, Any]:
            url = self._url(path, params)
            response = await self._send(method, url, headers, units, what, tokens=tokens, writing=writing)
            return await _read_json(response, what)

        return await self._retry(fetch, self.settings.attempts)

    async def send(
        self,
        method: str,
        target: str,
        params: Mapping[str, str] | None = None,
        *,
        data: bytes,
        headers: Mapping[str, str],
        units: int,
        what: str,
        wanted: Collection[int] = (200,),
        repeat: bool = True,
    ) -> Answer:
        """One call that writes.

        :param target: a path below the service, one that begins with ``/`` below the host, or an absolute URL that
            Drive gave.
        :param wanted: statuses that are an answer.
        :param repeat: send again after a failure that leaves open whether the call was carried out. What Drive refused
            because of its rate is always sent again.
        """
        url = self._target(target, params, what)

        async def call() -> Answer:
            response = await self._send(method, url, {**_headers("gzip", None), **headers}, units, what, wanted, data)
            try:
                async with response:
                    return Answer(response.status, response.headers, await response.read())
            except (aiohttp.ClientError, TimeoutError, OSError) as broken:
                raise _unreachable(broken, what) from broken

        def again(error: DriveBackupError) -> bool:
            return isinstance(error, RateLimitError) or (repeat and _worth_repeating(error))

        return await self._retry(call, self.settings.attempts, again)

    async def open_stream(
        self,
        target: str,
        params: Mapping[str, str] | None = None,
        *,
        what: str,
        resource_keys: str | None = None,
        attempts: int | None = None,
        span: tuple[int, int] | None = None,
    ) -> aiohttp.ClientResponse:
        """An answer whose body is content, to be released; retried until the body begins, not afterwards.

        :param target: a path below ``/drive/v3/``, or an absolute URL that Drive gave.
        :param attempts: of this request, instead of the settings'.
        :param span: only the bytes from the first number to before the second; then the answer's status is 206.
        """
        url = self._target(target, params, what)
        # Not compressed: the length that the answer names is then that of the content, and a cut body is noticed.
        headers = _headers("identity", resource_keys)
        if span is not None:
            headers["Range"] = f"bytes={span[0]}-{span[1] - 1}"
        wanted = (200,) if span is None else (206,)
        return await self._retry(
            lambda: self._send("GET", url, headers, DOWNLOAD_UNITS, what, wanted), attempts or self.settings.attempts
        )

    def _target(self, target: str, params: Mapping[str, str] | None, what: str) -> URL:
        try:
            return URL(target, encoded=True) if "://" in target else self._url(target, params)
        except ValueError as broken:
            raise _unreachable(broken, what) from broken

    def _url(self, path: str, params: Mapping[str, str] | None) -> URL:
        url = URL(
            f"{self._base}{path}" if path.startswith("/") else f"{self._base}/{self._service}/{path}", encoded=True
        )
        return url.with_query(params) if params else url

    async def _retry(
        self,
        call: Callable[[], Awaitable[Result]],
        attempts: int,
        retryable: Callable[[DriveBackupError], bool] | None = None,
    ) -> Result:
        return await retry(
            call,
            backoff=Backoff(attempts=attempts),
            clock=self._clock,
            retryable=retryable or _worth_repeating,
            chance=self._chance,
        )

    async def _send(
        self,
        method: str,
        url: URL,
        headers: dict[str, str],
        units: int,
        what: str,
        wanted: Collection[int] = (200,),
        data: bytes | None = None,
        tokens: Tokens | None = None,
        *,
        writing: bool = False,
    ) -> aiohttp.ClientResponse:
        """One attempt: paced, authorised, redirected; an open answer of a wanted status.

        Any other success (204, 206) is not what was asked for: it would be a part taken for the whole.
        """
        await self._limiter.acquire(units)
        tokens, renewals = tokens or self.tokens, 0
        while True:
            token = await tokens.token()
            self._calls += 1
            self._units += units
            try:
                response = await self._follow(method, url, headers, token, data)
                if response.status in wanted:
                    return response
                error = await _refusal(response, what, writing=writing or data is not None)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as broken:
                # ValueError: Drive gave an address, or something for a header, that cannot be one.
                raise _unreachable(broken, what) from broken
            if response.status == 401 and renewals < _MAX_RENEWALS:
                renewals += 1
                await tokens.renew(token)
                continue
            if isinstance(error, RateLimitError | ServiceUnavailableError):
                self.strain += 1
            if isinstance(error, RateLimitError):
                self._limiter.slow_down(error.retry_after)
            raise error

    async def _follow(
        self, method: str, url: URL, headers: dict[str, str], token: str, data: bytes | None
    ) -> aiohttp.ClientResponse:
        """Send, and follow redirects; the token goes only to hosts that may have it."""
        if self._session is None:
            raise RuntimeError("use DriveClient as an async context manager")
        for _ in range(_MAX_REDIRECTS):
            allowed = headers
            if may_have_token(url, self._base):
                allowed = {**headers, **self.tokens.headers, "Authorization": f"Bearer {token}"}
            response = await self._session.request(
                method, url, headers=allowed, data=data, allow_redirects=False, proxy=proxy_for(url)
            )
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            response.release()
            # Signed URLs must arrive as they were given: no re-quoting.
            url = response.url.join(URL(location, encoded=location.isascii()))
        raise aiohttp.TooManyRedirects(response.request_info, response.history)


def _headers(encoding: str, resource_keys: str | None) -> dict[str, str]:
    headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": encoding}
    if resource_keys:
        headers["X-Goog-Drive-Resource-Keys"] = resource_keys
    return headers


def _worth_repeating(error: DriveBackupError) -> bool:
    return is_transient(error) and not isinstance(error, UnexpectedAnswerError | ItemLaterError)


async def _refusal(response: aiohttp.ClientResponse, what: str, *, writing: bool) -> DriveBackupError:
    """The error of an answer, whose body is read as far as it can be of use."""
    body = bytearray()
    async with response:
        try:
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > _ERROR_BODY:
                    break
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass  # the status alone says enough
    return error_from(response.status, bytes(body), response.headers, what, writing=writing)


async def _read_json(response: aiohttp.ClientResponse, what: str) -> dict[str, Any]:
    """The JSON object of an answer; anything else is an answer that broke on its way."""
    try:
        async with response:
            return _object(await response.read())
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, TypeError, RecursionError) as broken:
        raise _unreachable(broken, what) from broken


def _object(body: bytes) -> dict[str, Any]:
    data = _decode(body)
    if not isinstance(data, dict):
        raise TypeError("the answer is no JSON object")
    return data


def _decode(body: bytes) -> Any:
    """JSON, with lone surrogates and bytes that are no UTF-8 (in file names: they are no Unicode text) made U+FFFD.

    :raises ValueError: when the body is no JSON.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # What no number of ours can hold stays the text that it is.
        said = body.decode(errors="replace")
        found = json.loads(said, parse_int=_whole_number, parse_float=_number, parse_constant=str)
        text = json.dumps(found, ensure_ascii=False)
        return json.loads(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


def _whole_number(text: str) -> int | str:
    return int(text) if len(text) <= _MOST_DIGITS else text


def _number(text: str) -> float | str:
    return number if math.isfinite(number := float(text)) else text


def _unreachable(broken: BaseException, what: str) -> ServiceUnavailableError:
    # Some of these exceptions have no text (time-outs), and aiohttp's may quote the URL's query: the type says enough.
    return ServiceUnavailableError(
        f"Drive could not be asked for {what}: no whole answer came ({type(broken).__name__}). "
        "Check the network if this stays.",
        service="drive",
        reason="unreachable",
    )
