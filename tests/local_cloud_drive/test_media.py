"""Bytes: downloads, ranges, rights, faults of bodies."""

import hashlib
import http.client
import urllib.error
import urllib.request

import pytest
from googleapiclient.errors import HttpError

from include.local_cloud.drive import ANN, BOB


@pytest.fixture
def fetch(drive):
    """A plain GET of one file's bytes: (status, headers, body)."""

    def get(file_id, email=ANN, scopes=(), query="", timeout=10, **headers):
        headers["Authorization"] = f"Bearer {drive.server.token(email, *scopes)}"
        url = f"{drive.url}/drive/v3/files/{file_id}?alt=media{query}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    return get


@pytest.mark.parametrize("name", ["empty.txt", "pixel.png", "several megabytes.zip", "forty megabytes.bin"])
def test_what_is_downloaded_is_what_the_checksums_say(drive, ann, read, name):
    item = drive.named(name)
    said = ann.files().get(fileId=item.id, fields="size,md5Checksum,sha1Checksum,sha256Checksum").execute()
    data = read(ann.files().get_media(fileId=item.id), chunk=3_000_000)
    assert said == {
        "size": str(len(data)),
        **{f"{kind}Checksum": hashlib.new(kind, data).hexdigest() for kind in ("md5", "sha1", "sha256")},
    }


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=5-9", 5, 10), ("bytes=5499990-", 5_499_990, None), ("bytes=-7", -7, None),
     ("bytes=1048570-1048580", 1_048_570, 1_048_581), ("bytes=1-99999999", 1, None)],
)  # fmt: skip
def test_ranges(drive, fetch, asked, start, stop):
    item = drive.named("several megabytes.zip")
    whole = fetch(item.id)[2]
    status, headers, body = fetch(item.id, Range=asked)
    assert (status, body) == (206, whole[start:stop])
    first = start % len(whole)
    assert headers["Content-Range"] == f"bytes {first}-{first + len(body) - 1}/{len(whole)}"


@pytest.mark.parametrize("asked", ["bytes=9-3", "bytes=-", "lines=1-2", "bytes=0-1,5-6"])
def test_a_range_that_is_none_is_ignored(drive, fetch, asked):
    status, headers, body = fetch(drive.named("pixel.png").id, Range=asked)
    assert (status, headers["Content-Range"]) == (200, None)
    assert body.startswith(b"\x89PNG")


def test_a_range_of_an_empty_file_is_416_and_of_no_range_is_200(drive, fetch):
    item = drive.named("empty.txt")
    status, headers, _ = fetch(item.id, Range="bytes=0-100")
    assert (status, headers["Content-Range"]) == (416, "bytes */0")
    assert fetch(item.id)[::2] == (200, b"")
    size = drive.named("pixel.png").content.size
    assert fetch(drive.named("pixel.png").id, Range=f"bytes={size}-")[0] == 416


@pytest.mark.parametrize("name", ["Letter", "Documents", "Shortcut to target", "Survey"])
def test_folders_shortcuts_and_natives_refuse_media(drive, ann, refusal, name):
    assert refusal(ann.files().get_media(fileId=drive.named(name).id)) == (403, "fileNotDownloadable", "alt")


def test_a_file_without_download_right_is_refused_and_says_so_beforehand(drive, ann, refusal):
    item = drive.named("no download.pdf").id
    assert (
        ann.files().get(fileId=item, fields="capabilities/canDownload").execute()["capabilities"]["canDownload"]
        is False
    )
    assert refusal(ann.files().get_media(fileId=item))[:2] == (403, "cannotDownloadFile")


def test_a_flagged_file_comes_to_its_owner_only_and_only_knowingly(drive, ann, refusal, read):
    item = drive.named("flagged.exe").id
    assert refusal(ann.files().get_media(fileId=item))[:2] == (403, "cannotDownloadAbusiveFile")
    assert read(ann.files().get_media(fileId=item, acknowledgeAbuse=True)).startswith(b"MZ")
    drive.admin("edit", {"action": "share", "file": item, "email": BOB, "role": "writer"})
    not_owner = drive.client(BOB).files().get_media(fileId=item, acknowledgeAbuse=True)
    assert refusal(not_owner)[:2] == (403, "cannotDownloadAbusiveFile")
    harmless = ann.files().get_media(fileId=drive.named("pixel.png").id, acknowledgeAbuse=True)
    assert refusal(harmless)[:2] == (403, "invalidAbuseAcknowledgment")


def test_a_metadata_scope_reads_no_bytes(drive, fetch):
    item = drive.named("pixel.png").id
    assert fetch(item, scopes=["drive.metadata.readonly"])[0] == 403
    assert fetch(item, scopes=["drive.readonly"])[0] == 200
    client = drive.client(ANN, "drive.metadata.readonly")
    assert client.files().get(fileId=item).execute()["id"] == item
    with pytest.raises(HttpError, match="insufficient scopes"):
        client.drives().list().execute()


def test_a_cut_body_is_seen_by_the_client_and_strikes_once(drive, fetch):
    item = drive.named("several megabytes.zip").id
    drive.faults({"kind": "cut", "files": [item], "at": 2_000_000, "count": 1})
    with pytest.raises(http.client.IncompleteRead) as caught:
        fetch(item)
    assert len(caught.value.partial) == 2_000_000
    assert len(fetch(item)[2]) == 5_500_000


@pytest.mark.parametrize("place", [0, 1_500_000, -1])
def test_a_corrupt_body_has_its_length_and_one_other_byte(drive, fetch, place):
    item = drive.named("several megabytes.zip").id
    good = fetch(item)[2]
    drive.faults({"kind": "corrupt", "files": [item], "at": place, "count": 1})
    bad = fetch(item)[2]
    assert [n for n in range(len(good)) if good[n] != bad[n]] == [place % len(good)]


def test_a_small_body_can_be_cut_and_corrupted_too(drive, fetch):
    item = drive.named("target.txt").id
    drive.faults({"kind": "cut", "files": [item], "at": 0, "count": 1}, {"kind": "corrupt", "files": [item], "at": 3})
    with pytest.raises(http.client.IncompleteRead):
        fetch(item)
    assert fetch(item)[2] == b"the" + bytes([ord(" ") ^ 0xFF]) + b"target"


def test_bandwidth_slows_bodies_down(drive, fetch):
    import time

    drive.faults(bandwidth=1_000_000)
    start = time.monotonic()
    assert len(fetch(drive.named("team.bin").id, query="&supportsAllDrives=true")[2]) == 300_000
    assert 0.25 < time.monotonic() - start < 3


def test_downloads_and_bytes_are_counted(drive, fetch):
    item = drive.named("several megabytes.zip").id
    fetch(item)
    fetch(item, Range="bytes=0-99")
    stats = drive.admin("stats")
    assert stats["downloads"] == {item: 2}
    assert stats["bytesOut"] == 5_500_100
    assert stats["units"] == 400
    assert stats["calls"] == {"files.get.media": 2}


def test_shared_drive_bytes_need_supports_all_drives(drive, fetch):
    item = drive.named("team.bin").id
    assert fetch(item)[0] == 404
    assert fetch(item, query="&supportsAllDrives=true")[0] == 200


def test_a_body_can_stall(drive, fetch):
    item = drive.named("several megabytes.zip").id
    drive.faults({"kind": "stall", "files": [item], "at": 1_000_000, "seconds": 30})
    with pytest.raises(TimeoutError):
        fetch(item, timeout=1)


def test_a_cut_ends_a_connection_that_would_be_kept_alive(drive):
    item = drive.named("several megabytes.zip").id
    drive.faults({"kind": "cut", "files": [item], "at": 2_000_000, "count": 1})
    connection = http.client.HTTPConnection(drive.url.removeprefix("http://"), timeout=10)
    headers = {"Authorization": f"Bearer {drive.server.token(ANN)}"}
    connection.request("GET", f"/drive/v3/files/{item}?alt=media", headers=headers)
    with pytest.raises(http.client.IncompleteRead) as caught:
        connection.getresponse().read()
    assert len(caught.value.partial) == 2_000_000
    connection.close()
