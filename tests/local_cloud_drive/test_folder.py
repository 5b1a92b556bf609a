"""A real folder as a Drive: what happens on disk is what the API says."""

import hashlib
import os

import pytest

from include.local_cloud.drive import ANN, folder_state

MASK = (
    "nextPageToken,files(id,name,parents,mimeType,size,sha256Checksum,modifiedTime,createdTime,headRevisionId,version)"
)


@pytest.fixture
def disk(tmp_path):
    """A folder with a little of everything."""
    root = tmp_path / "root"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"alpha")
    (root / "sub" / "b.pdf").write_bytes(b"beta")
    (root / "sub" / "deep" / "c").write_bytes(b"")
    (root / "big.bin").write_bytes(os.urandom(3_000_000))
    return root


@pytest.fixture
def serve(running, disk, tmp_path):
    """Start (again) on the same folder and database."""
    return lambda: running(folder_state(disk, tmp_path / "folder.db"))


def listed(server, everything, **params):
    return {file["name"]: file for file in everything(server.client(ANN), fields=MASK, **params)}


def changed(server, token):
    answer = (
        server.client(ANN)
        .changes()
        .list(pageToken=token, fields="changes(removed,file(name)),newStartPageToken")
        .execute()
    )
    found = [(c.get("file", {}).get("name"), c["removed"]) for c in answer["changes"]]
    return sorted(found, key=str), answer["newStartPageToken"]


def token_of(server):
    return server.client(ANN).changes().getStartPageToken().execute()["startPageToken"]


def test_files_folders_sizes_times_and_checksums_are_the_disks(serve, disk, everything, read):
    os.utime(disk / "a.txt", (1_600_000_000.25, 1_600_000_000.25))
    server = serve()
    files = listed(server, everything)
    assert set(files) == {"a.txt", "sub", "b.pdf", "deep", "c", "big.bin"}
    assert files["b.pdf"]["parents"] == [files["sub"]["id"]]
    assert files["a.txt"]["parents"] == [server.client(ANN).files().get(fileId="root").execute()["id"]]
    assert files["a.txt"]["modifiedTime"] == files["a.txt"]["createdTime"] == "2020-09-13T12:26:40.250Z"
    assert files["b.pdf"]["mimeType"] == "application/pdf"
    for name in ("a.txt", "big.bin", "c"):
        data = read(server.client(ANN).files().get_media(fileId=files[name]["id"]))
        assert files[name]["size"] == str(len(data))
        assert files[name]["sha256Checksum"] == hashlib.sha256(data).hexdigest()
    assert read(server.client(ANN).files().get_media(fileId=files["big.bin"]["id"])) == (disk / "big.bin").read_bytes()


def test_what_changes_on_disk_changes_in_the_listing_and_in_the_log(serve, disk, everything):
    server = serve()
    before, token = listed(server, everything), token_of(server)
    (disk / "a.txt").write_bytes(b"alpha two")
    (disk / "new.txt").write_bytes(b"new")
    (disk / "sub" / "b.pdf").unlink()
    after = listed(server, everything)
    assert set(after) == set(before) - {"b.pdf"} | {"new.txt"}
    assert after["a.txt"]["id"] == before["a.txt"]["id"]
    assert after["a.txt"]["headRevisionId"] != before["a.txt"]["headRevisionId"]
    assert after["a.txt"]["sha256Checksum"] == hashlib.sha256(b"alpha two").hexdigest()
    found, _ = changed(server, token)
    assert found == [("a.txt", False), ("new.txt", False), (None, True)]


def test_a_rename_and_a_move_keep_ids_and_log_only_what_moved(serve, disk, everything):
    server = serve()
    before, token = listed(server, everything), token_of(server)
    (disk / "sub").rename(disk / "renamed")
    (disk / "a.txt").rename(disk / "renamed" / "moved.txt")
    after = listed(server, everything)
    assert after["renamed"]["id"] == before["sub"]["id"]
    assert after["moved.txt"]["id"] == before["a.txt"]["id"]
    assert after["moved.txt"]["parents"] == [before["sub"]["id"]]
    assert after["b.pdf"] == before["b.pdf"]
    assert changed(server, token)[0] == [("moved.txt", False), ("renamed", False)]


def test_a_file_that_is_replaced_atomically_keeps_its_id(serve, disk, everything):
    server = serve()
    before = listed(server, everything)["a.txt"]
    (disk / "a.tmp").write_bytes(b"saved by an editor")
    (disk / "a.tmp").replace(disk / "a.txt")
    after = listed(server, everything)["a.txt"]
    assert after["id"] == before["id"]
    assert after["size"] == "18"


def test_another_file_with_a_used_inode_is_another_file(serve, disk, everything):
    server = serve()
    before = listed(server, everything)["a.txt"]["id"]
    (disk / "a.txt").unlink()
    (disk / "z.txt").write_bytes(b"quite another file")
    assert listed(server, everything)["z.txt"]["id"] != before


def test_a_file_becomes_a_folder(serve, disk, everything):
    server = serve()
    before = listed(server, everything)["a.txt"]["id"]
    (disk / "a.txt").unlink()
    (disk / "a.txt").mkdir()
    (disk / "a.txt" / "inside").write_bytes(b"x")
    after = listed(server, everything)
    assert after["a.txt"]["mimeType"].endswith("folder")
    assert after["a.txt"]["id"] != before
    assert after["inside"]["parents"] == [after["a.txt"]["id"]]


def test_ids_tokens_and_versions_survive_a_restart_and_what_happened_meanwhile_is_in_the_log(serve, disk, everything):
    first = serve()
    token = token_of(first)
    (disk / "a.txt").write_bytes(b"before the stop")
    before = listed(first, everything)
    first.run(first.server.stop())
    (disk / "sub" / "b.pdf").rename(disk / "b2.pdf")
    (disk / "while down.txt").write_bytes(b"x")
    (disk / "big.bin").unlink()
    second = serve()
    after = listed(second, everything)
    assert after["b2.pdf"]["id"] == before["b.pdf"]["id"]
    assert {n: f for n, f in after.items() if n in {"a.txt", "c", "deep"}} == {
        n: before[n] for n in ("a.txt", "c", "deep")
    }
    found, newest = changed(second, token)
    assert found == [("a.txt", False), ("b2.pdf", False), ("while down.txt", False), (None, True)]
    second.run(second.server.stop())
    third = serve()
    assert changed(third, newest)[0] == []
    assert listed(third, everything) == after


def test_links_inside_become_shortcuts_and_others_are_reported(serve, disk, everything, tmp_path):
    (tmp_path / "outside.txt").write_bytes(b"secret")
    (disk / "link to a").symlink_to("a.txt")
    (disk / "link out").symlink_to(tmp_path / "outside.txt")
    (disk / "link to nothing").symlink_to("missing")
    (disk / "loop").symlink_to("loop")
    (disk / "sub" / "up").symlink_to(disk)
    os.mkfifo(disk / "pipe")
    server = serve()
    files = listed(server, everything)
    link = server.client(ANN).files().get(fileId=files["link to a"]["id"], fields="mimeType,shortcutDetails").execute()
    assert link["shortcutDetails"] == {"targetId": files["a.txt"]["id"], "targetMimeType": "text/plain"}
    assert set(files) == {"a.txt", "sub", "b.pdf", "deep", "c", "big.bin", "link to a"}
    unlisted = server.admin("stats")["unlisted"]
    assert set(unlisted) == {"link out", "link to nothing", "loop", "sub/up", "pipe"}


def test_names_that_are_no_utf8_are_shown_and_can_be_read(serve, disk, everything, read):
    (disk / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"latin")
    server = serve()
    files = listed(server, everything)
    assert read(server.client(ANN).files().get_media(fileId=files["caf\ufffd.txt"]["id"])) == b"latin"


def test_a_file_that_vanishes_between_listing_and_reading_is_404(serve, disk, everything, refusal):
    server = serve()
    ident = listed(server, everything)["a.txt"]["id"]
    (disk / "a.txt").unlink()
    assert refusal(server.client(ANN).files().get_media(fileId=ident))[0] == 404
    assert "a.txt" not in listed(server, everything)


def test_metadata_asked_for_after_a_change_is_of_what_is_read_then(serve, disk, everything, read):
    server = serve()
    ident = listed(server, everything)["a.txt"]["id"]
    (disk / "a.txt").write_bytes(b"changed since")
    client = server.client(ANN)
    now = client.files().get(fileId=ident, fields="size,sha256Checksum").execute()
    data = read(client.files().get_media(fileId=ident))
    assert now == {"size": "13", "sha256Checksum": hashlib.sha256(data).hexdigest()}


def test_a_checksum_is_never_of_other_bytes_than_the_metadata(disk, tmp_path, monkeypatch):
    """The file changes while it is hashed: then there is no checksum, rather than a wrong one."""
    from include.local_cloud.drive.backends.folder import DiskContent

    state = folder_state(disk, tmp_path / "folder.db")
    (item,) = [i for i in state.items.values() if i.name == "a.txt"]
    plain = DiskContent.read

    def read_and_change(self, start, end):
        data = plain(self, start, end)
        (disk / "a.txt").write_bytes(b"ALPHA")
        os.utime(disk / "a.txt", (1, 1))
        return data

    monkeypatch.setattr(DiskContent, "read", read_and_change)
    with pytest.raises(OSError, match="changed while it was hashed"):
        item.content.compute(["sha256"])
    assert item.content.digest("sha256") is None


def test_it_is_read_only(serve, disk, everything, refusal):
    server = serve()
    client, ident = server.client(ANN), listed(server, everything)["a.txt"]["id"]
    assert refusal(client.files().update(fileId=ident, body={"name": "x"}))[0] == 403
    assert refusal(client.files().delete(fileId=ident))[0] == 403
    assert refusal(client.files().create(body={"name": "x"}))[0] == 403
    assert (disk / "a.txt").read_bytes() == b"alpha"


def test_an_unreadable_folder_and_file_do_not_break_the_listing(serve, disk, everything, monkeypatch):
    """As root everything is readable, so the denial is made here."""
    from include.local_cloud.drive.backends import disk as scanner

    plain = os.access
    monkeypatch.setattr(scanner.os, "access", lambda path, mode: "deep" not in str(path) and plain(path, mode))
    server = serve()
    folder = listed(server, everything)["deep"]["id"]
    seen = server.client(ANN).files().get(fileId=folder, fields="capabilities/canListChildren").execute()
    assert seen == {"capabilities": {"canListChildren": False}}


def test_checksums_are_not_computed_again_after_a_restart(serve, disk, everything, monkeypatch):
    first = serve()
    before = listed(first, everything)
    assert listed(first, everything) == before
    first.run(first.server.stop())
    from include.local_cloud.drive.backends.folder import DiskContent

    monkeypatch.setattr(DiskContent, "read", lambda *_: pytest.fail("the file was read again"))
    assert listed(serve(), everything) == before
