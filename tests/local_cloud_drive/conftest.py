"""A Drive in a thread of its own, and the real google-api-python-client pointed at it."""

import asyncio
import copy
import functools
import io
import json
import threading
import urllib.request
from importlib import resources

import google_auth_httplib2
import pytest
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build_from_document
from googleapiclient.http import MediaIoBaseDownload, build_http

from include.local_cloud.drive import ANN, BOB, DriveServer, sample_state


class Running:
    """A server in a background thread, for clients that block."""

    def __init__(self, state, **options):
        self.state = state
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        try:
            self.server = self.run(self._make(options))
        except BaseException:
            self._end_thread()
            raise

    async def _make(self, options):
        server = DriveServer(self.state, **options)
        await server.start()
        return server

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    @property
    def url(self):
        return self.server.url

    def client(self, email, *scopes, api="drive.v3", credentials=None):
        credentials = credentials or Credentials(token=self.server.token(email, *scopes))
        http = google_auth_httplib2.AuthorizedHttp(credentials, http=build_http())
        return build_from_document(rewritten(api, self.url), http=http)

    def admin(self, path, body=None, verb=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_admin/{path}", data=data, method=verb)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def faults(self, *rules, **settings):
        return self.admin("faults", {"settings": settings, "rules": list(rules)})

    def named(self, name):
        """The only item of that name."""
        (item,) = [item for item in self.state.items.values() if item.name == name]
        return item

    def close(self):
        try:
            self.run(self.server.stop())
        finally:
            self._end_thread()

    def _end_thread(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@functools.cache
def discovery(api):
    folder = resources.files("googleapiclient.discovery_cache").joinpath("documents")
    return json.loads(folder.joinpath(f"{api}.json").read_text())


def rewritten(api, url):
    """The bundled discovery document, with the server's address in it: how any client is pointed at a stand-in."""
    document = copy.deepcopy(discovery(api))
    document.update(rootUrl=f"{url}/", baseUrl=f"{url}/{document['servicePath']}")
    document.pop("mtlsRootUrl", None)
    return document


@pytest.fixture
def running():
    """A factory of servers that end with the test."""
    started = []

    def start(state, **options):
        started.append(Running(state, **options))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def drive(running):
    return running(sample_state())


@pytest.fixture
def ann(drive):
    return drive.client(ANN)


@pytest.fixture
def bob(drive):
    return drive.client(BOB)


@pytest.fixture
def team(drive):
    """The shared drive's id."""
    (drive_id,) = drive.state.drives
    return drive_id


def everything(client, **params):
    """All pages of files.list, as the real client walks them."""
    fields = params.pop("fields", "nextPageToken,incompleteSearch,files(id,name,parents,mimeType,trashed)")
    files, request = [], client.files().list(fields=fields, pageSize=params.pop("pageSize", 1000), **params)
    while request is not None:
        answer = request.execute()
        files += answer.get("files", [])
        request = client.files().list_next(request, answer)
    return files


def read(request, chunk=1 << 20):
    """Download with the real client's downloader."""
    target = io.BytesIO()
    download = MediaIoBaseDownload(target, request, chunksize=chunk)
    done = False
    while not done:
        _, done = download.next_chunk()
    return target.getvalue()


@pytest.fixture(name="everything")
def everything_fixture():
    return everything


@pytest.fixture(name="read")
def read_fixture():
    return read


def refusal(request):
    """(status, reason, location) of the error that a request ends with."""
    from googleapiclient.errors import HttpError

    with pytest.raises(HttpError) as caught:
        request.execute()
    detail = caught.value.error_details[0]
    return caught.value.status_code, detail["reason"], detail.get("location")


@pytest.fixture(name="refusal")
def refusal_fixture():
    return refusal
