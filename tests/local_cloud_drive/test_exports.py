"""Exports: files.export, the links of exportLinks, files.download; and that what comes can be opened."""

import io
import json
import re
import struct
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
import zipfile
import zlib

import pytest

from include.local_cloud.drive import ANN, BOB
from include.local_cloud.drive.exports import LOGIN_PAGE
from include.local_cloud.drive.formats import EXPORT_FORMATS, EXTENSIONS

NATIVE_NAMES = {
    "document": "Letter",
    "spreadsheet": "Numbers",
    "presentation": "Talk",
    "drawing": "Sketch",
    "script": "Macro",
}
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PAIRS = [(kind, mime) for kind in NATIVE_NAMES for mime in EXPORT_FORMATS[f"application/vnd.google-apps.{kind}"]]


@pytest.fixture
def follow(drive):
    """GET an address with or without a token: (status, headers, body)."""

    def get(url, email=ANN, **headers):
        if email:
            headers["Authorization"] = f"Bearer {drive.server.token(email)}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    return get


def open_archive(data):
    """A zip whose XML parts are well-formed and whose relationships lead somewhere."""
    bundle = zipfile.ZipFile(io.BytesIO(data))
    assert bundle.testzip() is None
    names = set(bundle.namelist())
    for name in names:
        if name.endswith((".xml", ".rels", ".opf", ".xhtml")):
            root = ET.fromstring(bundle.read(name))
            if name.endswith(".rels"):
                base = "/".join(name.split("/")[:-2])
                for relation in root:
                    target = relation.get("Target")
                    parts = [*base.split("/"), *target.split("/")] if base else target.split("/")
                    resolved = []
                    for part in parts:
                        resolved.pop() if part == ".." else resolved.append(part)
                    assert "/".join(resolved) in names, (name, target)
    return bundle


def check_pdf(data):
    assert data.startswith(b"%PDF-1.")
    table = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", data)[1])
    assert data[table:].startswith(b"xref\n")
    offsets = [int(offset) for offset in re.findall(rb"(\d{10}) 00000 n", data[table:])]
    for number, offset in enumerate(offsets, 1):
        assert data[offset:].startswith(b"%d 0 obj\n" % number)


def check_png(data):
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    position, pixels = 8, b""
    while position < len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        kind, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[position + 8 + length : position + 12 + length])[0]
        pixels += body if kind == b"IDAT" else b""
        position += 12 + length
    assert zlib.decompress(pixels)


CHECKS = {
    "pdf": check_pdf,
    "png": check_png,
    "json": json.loads,
    "svg": ET.fromstring,
    "jpg": lambda data: (data[:3], data[-2:]) == (b"\xff\xd8\xff", b"\xff\xd9") or pytest.fail("no JPEG"),
    "rtf": lambda data: data.startswith(b"{\\rtf1") or pytest.fail("no RTF"),
    "html": lambda data: data.startswith(b"<!DOCTYPE html>") or pytest.fail("no HTML"),
    **dict.fromkeys(("txt", "md", "csv", "tsv"), lambda data: data.decode("utf-8")),
    **dict.fromkeys(("docx", "xlsx", "pptx", "odt", "ods", "odp", "zip", "epub"), open_archive),
}


@pytest.mark.parametrize(("kind", "mime"), PAIRS)
def test_every_export_opens_by_export_and_by_link(drive, ann, follow, kind, mime):
    item = drive.named(NATIVE_NAMES[kind])
    check = CHECKS[EXTENSIONS[mime]]
    check(ann.files().export(fileId=item.id, mimeType=mime).execute())
    link = ann.files().get(fileId=item.id, fields="exportLinks").execute()["exportLinks"][mime]
    assert link.startswith(drive.url)
    status, headers, body = follow(link)
    assert (status, headers.get_content_type()) == (200, mime)
    assert headers["Content-Length"] is None
    check(body)


def test_a_range_does_not_shorten_an_export(drive, ann, follow):
    link = ann.files().get(fileId=drive.named("Numbers").id, fields="exportLinks").execute()["exportLinks"]["text/csv"]
    status, _, body = follow(link, Range="bytes=0-3")
    assert (status, body) == (200, b'Item,Price\r\nPen,1.50\r\n"Paper, A4",4.20\r\n')


def test_the_text_is_in_the_document(drive, ann):
    data = ann.files().export(fileId=drive.named("Letter").id, mimeType=DOCX).execute()
    root = ET.fromstring(open_archive(data).read("word/document.xml"))
    text = "\n".join(
        "".join(node.text or "" for node in p.iter() if node.tag.endswith("}t")) for p in root[0] if len(p)
    )
    assert text == "Dear reader,\nthis is a Google Doc with ümlauts & <angles>.\nYours\nAnn"


def test_two_exports_at_different_times_differ_in_bytes_but_not_in_text(drive, ann):
    item = drive.named("Letter").id
    drive.admin("clock", {"at": "2026-05-01T00:00:00Z"})
    drive.server.service.tokens.lifetime_s = 10**9
    client = drive.client(ANN)
    one = client.files().export(fileId=item, mimeType=DOCX).execute()
    drive.admin("clock", {"at": "2026-05-01T00:00:04Z"})
    two = client.files().export(fileId=item, mimeType=DOCX).execute()
    assert one != two
    assert open_archive(one).read("word/document.xml") == open_archive(two).read("word/document.xml")


def test_more_than_10_mb_must_go_by_link(drive, ann, follow, refusal):
    item = drive.named("Huge document").id
    for mime in (DOCX, "application/pdf"):
        assert refusal(ann.files().export(fileId=item, mimeType=mime))[:2] == (403, "exportSizeLimitExceeded")
        link = ann.files().get(fileId=item, fields="exportLinks").execute()["exportLinks"][mime]
        status, _, body = follow(link)
        assert status == 200
        assert len(body) > 12_000_000
        CHECKS[EXTENSIONS[mime]](body)


def test_links_want_a_token_of_someone_who_may_read(drive, ann, follow):
    link = ann.files().get(fileId=drive.named("Letter").id, fields="exportLinks").execute()["exportLinks"][DOCX]
    assert follow(link, email=None)[0] == 401
    assert follow(link, email=BOB)[0] == 404
    assert follow(link.replace("exportFormat=docx", "exportFormat=xlsx"))[0] == 400


def test_the_login_page_is_a_200_in_html(drive, ann, follow):
    link = ann.files().get(fileId=drive.named("Letter").id, fields="exportLinks").execute()["exportLinks"][DOCX]
    drive.faults(login_page=True)
    status, headers, body = follow(link)
    assert (status, headers.get_content_type(), body) == (200, "text/html", LOGIN_PAGE)


def test_links_may_redirect_first(drive, ann, follow):
    link = ann.files().get(fileId=drive.named("Letter").id, fields="exportLinks").execute()["exportLinks"][DOCX]
    drive.faults(export_redirect=True)
    status, _, body = follow(link)
    assert status == 200
    open_archive(body)
    assert drive.server.service.stats.calls["export-link"] == 2


@pytest.mark.parametrize(("name", "reason"), [("Survey", "fileNotExportable"), ("pixel.png", "fileNotExportable")])
def test_what_cannot_be_exported_is_refused_and_has_no_links(drive, ann, refusal, name, reason):
    item = drive.named(name).id
    assert refusal(ann.files().export(fileId=item, mimeType="application/pdf"))[:2] == (403, reason)
    assert ann.files().get(fileId=item, fields="exportLinks").execute() == {}


def test_a_format_that_the_type_has_not_is_refused(drive, ann, refusal):
    request = ann.files().export(fileId=drive.named("Letter").id, mimeType="text/csv")
    assert refusal(request)[:2] == (400, "badRequest")


def test_a_keyed_documents_links_carry_its_key(drive, ann, follow):
    item = drive.named("Letter")
    flags = {"resource_key": "0-key", "key_required": True}
    drive.admin("edit", {"action": "flags", "file": item.id, "flags": flags})
    request = ann.files().get(fileId=item.id, fields="exportLinks")
    request.headers["X-Goog-Drive-Resource-Keys"] = f"{item.id}/0-key"
    link = request.execute()["exportLinks"][DOCX]
    assert "resourcekey=0-key" in link
    assert follow(link)[0] == 200
    assert follow(link.replace("resourcekey=0-key", "resourcekey=0-other"))[0] == 404


def test_a_download_operation_takes_its_time_and_ends_with_a_link(drive, ann, follow):
    drive.faults(operation_ms=60_000)
    started = ann.files().download(fileId=drive.named("Huge document").id, mimeType=DOCX).execute()
    assert started["done"] is False
    assert "response" not in started
    drive.admin("clock", {"offset_ms": 61_000})
    finished = ann.operations().get(name=started["name"]).execute()
    assert finished["done"] is True
    assert finished["response"]["partialDownloadAllowed"] is False
    status, _, body = follow(finished["response"]["downloadUri"])
    assert status == 200
    open_archive(body)


def test_a_blobs_download_link_takes_ranges_and_is_its_callers_only(drive, ann, follow):
    item = drive.named("several megabytes.zip").id
    answer = ann.files().download(fileId=item).execute()["response"]
    assert answer["partialDownloadAllowed"] is True
    assert follow(answer["downloadUri"], Range="bytes=10-19")[0] == 206
    assert follow(answer["downloadUri"], email=BOB)[0] == 404


def test_an_unknown_operation_is_404(ann, refusal):
    assert refusal(ann.operations().get(name="lost"))[0] == 404


def test_a_cut_export_is_seen_though_it_has_no_length(drive, ann, follow):
    """Without the connection's end the last chunk would make it look complete."""
    import http.client

    item = drive.named("Huge document").id
    link = ann.files().get(fileId=item, fields="exportLinks").execute()["exportLinks"][DOCX]
    drive.faults({"kind": "cut", "routes": ["export-link"], "at": 3_000_000, "count": 1})
    with pytest.raises(http.client.IncompleteRead) as caught:
        follow(link)
    assert len(caught.value.partial) <= 3_000_000
    open_archive(follow(link)[2])
