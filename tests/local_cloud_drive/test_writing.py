"""Creating, changing, uploading, batches: what a restore does."""

import io
import os
import urllib.error
import urllib.request

import pytest
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseUpload

from include.local_cloud.drive import ANN

FOLDER = "application/vnd.google-apps.folder"


def media(data, kind="application/octet-stream", **options):
    return MediaIoBaseUpload(io.BytesIO(data), mimetype=kind, **options)


def test_metadata_can_be_set_and_a_change_is_logged(ann):
    token = ann.changes().getStartPageToken().execute()["startPageToken"]
    folder = ann.files().create(body={"name": "New", "mimeType": FOLDER}).execute()["id"]
    body = {
        "name": "a/b.txt",
        "parents": [folder],
        "createdTime": "2019-01-02T03:04:05.678Z",
        "modifiedTime": "2020-01-02T03:04:05.678Z",
        "description": "d",
        "properties": {"k": "v"},
        "starred": True,
    }
    made = (
        ann.files().create(body=body, media_body=media(b"hello", "text/plain"), fields="id," + ",".join(body)).execute()
    )
    file_id = made.pop("id")
    assert made == body
    changed = ann.changes().list(pageToken=token).execute()["changes"]
    assert [c["fileId"] for c in changed] == [folder, file_id]


@pytest.mark.parametrize("size", [0, 1, 262_144, 1_000_000])
def test_multipart_and_resumable_uploads_keep_every_byte(ann, read, size):
    data = os.urandom(size)
    for options in ({}, {"resumable": True, "chunksize": 262_144}):
        if options and not size:
            continue
        file_id = ann.files().create(body={"name": "up.bin"}, media_body=media(data, **options)).execute()["id"]
        assert read(ann.files().get_media(fileId=file_id)) == data


def test_more_than_5_mb_must_be_resumable(ann, read):
    data = os.urandom(5_300_000)
    with pytest.raises(HttpError, match="resumable"):
        ann.files().create(body={"name": "up"}, media_body=media(data)).execute()
    made = ann.files().create(body={"name": "up"}, media_body=media(data, resumable=True, chunksize=-1)).execute()
    assert read(ann.files().get_media(fileId=made["id"])) == data


def test_a_resumable_upload_goes_on_where_it_stopped(drive, ann, read):
    token = drive.server.token(ANN)

    def send(url, verb, data=b"", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            url, data=data, method=verb, headers={"Authorization": f"Bearer {token}", **headers}
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers

    start = f"{drive.url}/upload/drive/v3/files?uploadType=resumable"
    status, headers = send(start, "POST", b'{"name": "parts.bin"}', Content_Type="application/json")
    session = headers["Location"]
    data = os.urandom(600_000)
    total = len(data)
    assert send(session, "PUT", Content_Range=f"bytes */{total}")[0] == 308
    assert send(session, "PUT", data[:1000], Content_Range=f"bytes 0-999/{total}")[0] == 400
    status, headers = send(start, "POST", b'{"name": "parts.bin"}', Content_Type="application/json")
    session = headers["Location"]
    status, headers = send(session, "PUT", data[:262_144], Content_Range=f"bytes 0-262143/{total}")
    assert (status, headers["Range"]) == (308, "bytes=0-262143")
    assert send(session, "PUT", data[:5], Content_Range=f"bytes 0-4/{total}")[0] == 400
    status, headers = send(session, "PUT", Content_Range=f"bytes */{total}")
    assert headers["Range"] == "bytes=0-262143"
    assert send(session, "PUT", data[262_144:], Content_Range=f"bytes 262144-{total - 1}/{total}")[0] == 200
    assert send(session, "PUT", Content_Range=f"bytes */{total}")[0] == 404
    assert read(ann.files().get_media(fileId=drive.named("parts.bin").id)) == data


def test_an_update_is_a_new_revision_with_a_new_head(ann, drive, read):
    item = drive.named("pixel.png").id
    before = ann.files().get(fileId=item, fields="headRevisionId,version,modifiedTime").execute()
    ann.files().update(fileId=item, media_body=media(b"other", "image/png"), keepRevisionForever=True).execute()
    after = ann.files().get(fileId=item, fields="headRevisionId,version,modifiedTime").execute()
    assert read(ann.files().get_media(fileId=item)) == b"other"
    assert after["headRevisionId"] != before["headRevisionId"]
    assert int(after["version"]) > int(before["version"])
    assert after["modifiedTime"] > before["modifiedTime"]


def test_move_rename_trash_untrash_delete(ann, drive, refusal):
    item, place = drive.named("pixel.png").id, drive.named("Documents").id
    ann.files().update(fileId=item, addParents=place, removeParents="root", body={"name": "p.png"}).execute()
    moved = ann.files().get(fileId=item, fields="name,parents").execute()
    assert moved == {"name": "p.png", "parents": [place]}
    assert refusal(ann.files().update(fileId=item, addParents="root"))[:2] == (403, "cannotAddParent")
    assert refusal(ann.files().update(fileId=place, addParents=place, removeParents="root"))[0] == 403
    for trashed in (True, False):
        ann.files().update(fileId=item, body={"trashed": trashed}).execute()
        assert ann.files().get(fileId=item, fields="trashed").execute() == {"trashed": trashed}
    ann.files().delete(fileId=item).execute()
    assert refusal(ann.files().get(fileId=item))[0] == 404


def test_a_generated_id_can_be_used_once(ann, refusal):
    ids = ann.files().generateIds(count=3).execute()["ids"]
    assert len(set(ids)) == 3
    body = {"id": ids[0], "name": "once"}
    assert ann.files().create(body=body).execute()["id"] == ids[0]
    assert refusal(ann.files().create(body=body))[0] == 409
    assert refusal(ann.files().create(body={"id": "1invented"}))[0] == 400
    native = {"id": ids[1], "mimeType": "application/vnd.google-apps.document"}
    assert refusal(ann.files().create(body=native))[0] == 400


@pytest.mark.parametrize("body", [{"version": "5"}, {"owners": []}, {"sha256Checksum": "00"}])
def test_fields_that_are_not_writable_are_refused(ann, refusal, body):
    assert refusal(ann.files().create(body=body))[:2] == (403, "fieldNotWritable")


def test_uploads_become_documents_when_a_native_type_is_asked_for(ann, refusal):
    body = {"name": "Doc", "mimeType": "application/vnd.google-apps.document"}
    made = ann.files().create(body=body, media_body=media(b"some text", "text/plain")).execute()["id"]
    assert ann.files().export(fileId=made, mimeType="text/plain").execute() == b"some text"
    refused = ann.files().create(body=body, media_body=media(b"x", "video/mp4"))
    assert refusal(refused)[:2] == (400, "badRequest")


def test_strangers_and_readers_cannot_write(bob, drive, refusal):
    assert refusal(bob.files().update(fileId=drive.named("pixel.png").id, body={"name": "x"}))[0] == 404
    reader = bob.files().update(fileId=drive.named("team.txt").id, body={"name": "x"}, supportsAllDrives=True)
    assert refusal(reader)[:2] == (403, "insufficientFilePermissions")
    inside = bob.files().create(body={"name": "x", "parents": [drive.named("Documents").id]})
    assert refusal(inside)[0] == 404
    assert refusal(bob.files().delete(fileId=drive.named("Together").id))[0] == 403


def test_a_readonly_scope_does_not_write(drive, refusal):
    client = drive.client(ANN, "drive.readonly")
    assert refusal(client.files().create(body={"name": "x"}))[:2] == (403, "insufficientPermissions")


def test_a_bare_service_account_owns_no_files(drive, refusal):
    bare = drive.client(drive.server.service.tokens.credentials.client_email)
    assert refusal(bare.files().create(body={"name": "x"}))[:2] == (403, "storageQuotaExceeded")


def test_a_batch_runs_up_to_a_hundred_calls_each_with_its_own_answer(drive, ann):
    answers = {}

    def note(ident, answer, error):
        answers[ident] = error.status_code if error else answer["name"]

    batch = ann.new_batch_http_request(callback=note)
    batch.add(ann.files().get(fileId=drive.named("pixel.png").id), request_id="a")
    batch.add(ann.files().get(fileId="nothing"), request_id="b")
    batch.add(ann.files().create(body={"name": "made in a batch"}), request_id="c")
    batch.execute()
    assert answers == {"a": "pixel.png", "b": 404, "c": "made in a batch"}
    assert drive.admin("stats")["totalCalls"] == 3


def test_a_batch_of_more_than_a_hundred_or_with_media_is_refused(drive, ann):
    batch = ann.new_batch_http_request()
    for number in range(101):
        batch.add(ann.files().get(fileId="root"), request_id=str(number))
    with pytest.raises(HttpError, match="too many"):
        batch.execute()
    batch = ann.new_batch_http_request()
    batch.add(ann.files().export(fileId=drive.named("Letter").id, mimeType="text/plain"))
    with pytest.raises(HttpError, match="without media"):
        batch.execute()


def test_a_method_that_is_not_there_says_so(ann, drive, refusal):
    assert refusal(ann.files().modifyLabels(fileId=drive.named("pixel.png").id, body={}))[:2] == (501, "notImplemented")
