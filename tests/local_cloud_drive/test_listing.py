"""files.list as the real client sees it: masks, pages, corpora, order, visibility."""

import pytest

from include.local_cloud.drive import ANN, BOB
from include.local_cloud.drive.backends.sample import ODD_NAMES

FOLDER = "application/vnd.google-apps.folder"


def names(files):
    return {file["name"] for file in files}


def test_without_fields_only_the_few_default_ones_come(ann):
    file = ann.files().list(pageSize=1).execute()["files"][0]
    assert set(file) == {"kind", "id", "name", "mimeType"}


def test_int64_are_strings_times_have_milliseconds_and_absent_is_not_null(ann, drive):
    file = ann.files().get(fileId=drive.named("empty.txt").id, fields="*").execute()
    assert file["size"] == "0"
    assert file["version"].isdigit()
    assert file["modifiedTime"].endswith("Z")
    assert len(file["modifiedTime"]) == len("2026-01-02T03:04:05.678Z")
    assert None not in file.values()
    folder = ann.files().get(fileId="root", fields="*").execute()
    assert not {"size", "md5Checksum", "headRevisionId", "parents"} & set(folder)


@pytest.mark.parametrize(
    "mask", ["files(foo)", "foo", "files(id,owners(nope))", "files(id", "files(id))", "files/", ","]
)
def test_a_mask_that_cannot_be_read_is_refused(ann, refusal, mask):
    assert refusal(ann.files().list(fields=mask)) == (400, "invalidParameter", "fields")


def test_a_mask_selects_inside_objects_by_parentheses_and_by_slashes(ann):
    answer = ann.files().list(fields="files(owners(emailAddress),capabilities/canDownload)", pageSize=1).execute()
    assert answer == {"files": [{"owners": [{"emailAddress": ANN}], "capabilities": {"canDownload": False}}]}


def test_paging_stops_silently_when_the_token_is_not_in_the_mask(ann):
    request = ann.files().list(fields="files(id)", pageSize=10)
    answer = request.execute()
    assert len(answer["files"]) == 10
    assert ann.files().list_next(request, answer) is None


@pytest.mark.parametrize(
    ("extra", "cap"), [("", 1000), (",parents", 460), (",permissions", 100), (",parents,permissions", 100)]
)
def test_pages_are_capped_by_what_the_mask_asks_for(running, extra, cap):
    from include.local_cloud.drive import generated_state

    drive = running(generated_state(files=1_200, folders=1))
    mask = f"nextPageToken,files(id{extra})"
    answer = drive.client(ANN).files().list(pageSize=1000, fields=mask).execute()
    assert len(answer["files"]) == cap
    assert answer["nextPageToken"]


def test_all_pages_together_hold_everything_once(ann, everything):
    whole = everything(ann)
    small = everything(ann, pageSize=7)
    assert [f["id"] for f in small] == [f["id"] for f in whole]
    assert len({f["id"] for f in whole}) == len(whole) > 250


def test_empty_pages_with_a_token_lose_nothing(ann, drive, everything):
    before = everything(ann)
    drive.faults(empty_page_every=2)
    first = ann.files().list(pageSize=50, fields="nextPageToken,files(id)").execute()
    second = ann.files().list(pageSize=50, fields="nextPageToken,files(id)", pageToken=first["nextPageToken"]).execute()
    assert second["files"] == []
    assert second["nextPageToken"]
    assert everything(ann, pageSize=50) == before


def test_a_token_is_bound_to_its_question_its_user_and_its_time(ann, bob, drive, refusal):
    token = ann.files().list(pageSize=5, q="trashed = false").execute()["nextPageToken"]
    refused = (400, "invalid", "pageToken")
    assert refusal(ann.files().list(pageSize=5, q="trashed = true", pageToken=token)) == refused
    assert refusal(ann.files().list(pageSize=5, pageToken=token)) == refused
    assert refusal(bob.files().list(pageSize=5, q="trashed = false", pageToken=token)) == refused
    assert refusal(ann.files().list(pageToken="made up")) == refused
    assert ann.files().list(pageSize=5, q="trashed = false", pageToken=token).execute()["files"]
    drive.admin("clock", {"offset_ms": 7 * 3600 * 1000})
    fresh = drive.client(ANN)
    assert refusal(fresh.files().list(pageSize=5, q="trashed = false", pageToken=token)) == refused


@pytest.mark.parametrize("size", [0, -1])
def test_a_page_size_below_one_is_refused(ann, refusal, size):
    assert refusal(ann.files().list(pageSize=size))[:2] == (400, "invalidParameter")


def test_a_parameter_that_drive_does_not_know_is_refused(drive):
    import urllib.error
    import urllib.request

    headers = {"Authorization": f"Bearer {drive.server.token(ANN)}"}
    request = urllib.request.Request(f"{drive.url}/drive/v3/files?supportsAllDrive=true", headers=headers)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 400
    caught.value.close()


def test_trashed_files_come_unless_they_are_ruled_out(ann, everything):
    trash = {"trashed.txt", "Trashed folder", "inside the trashed folder.txt"}
    assert trash <= names(everything(ann))
    assert not trash & names(everything(ann, q="trashed = false"))
    assert names(everything(ann, q="trashed = true")) == trash


def test_what_is_inside_a_trashed_folder_is_trashed_but_not_explicitly(ann, drive):
    file = (
        ann.files()
        .get(fileId=drive.named("inside the trashed folder.txt").id, fields="trashed,explicitlyTrashed")
        .execute()
    )
    assert file == {"trashed": True, "explicitlyTrashed": False}


def test_root_is_an_alias_and_is_not_in_the_listing(ann, everything):
    root = ann.files().get(fileId="root", fields="id,name,mimeType").execute()
    assert root["mimeType"] == FOLDER
    assert root["id"] not in {file["id"] for file in everything(ann)}
    assert everything(ann, q="'root' in parents") == everything(ann, q=f"'{root['id']}' in parents")


def test_odd_and_duplicate_names_come_as_they_are(ann, drive, everything):
    place = drive.named("Odd names").id
    found = [file["name"] for file in everything(ann, q=f"'{place}' in parents")]
    assert sorted(found) == sorted([*ODD_NAMES, *["same name.txt"] * 3, "both", "both", "folder/with/slashes"])


def test_an_orphan_has_no_parents(ann, drive):
    orphan = ann.files().get(fileId=drive.named("Orphan.txt").id, fields="parents,ownedByMe").execute()
    assert orphan == {"ownedByMe": True}


def test_an_item_shared_with_me_has_no_visible_parents(ann, drive, everything):
    (shared,) = everything(ann, q="sharedWithMe and name = 'From Bob.txt'")
    assert "parents" not in shared
    assert drive.named("From Bob.txt").parents
    assert "Bob's own.txt" not in names(everything(ann))


def test_a_file_by_someone_else_in_my_folder_is_listed_with_its_parent(ann, drive, everything):
    (file,) = everything(ann, q="name = 'Bob was here.txt'", fields="files(name,parents,ownedByMe)")
    assert file == {"name": "Bob was here.txt", "parents": [drive.named("Together").id], "ownedByMe": False}


def test_a_limited_access_folder_shows_itself_and_hides_what_is_inside(ann, bob, drive, everything):
    folder = drive.named("Limited")
    seen = ann.files().get(fileId=folder.id, fields="capabilities/canListChildren").execute()
    assert seen == {"capabilities": {"canListChildren": False}}
    assert everything(ann, q=f"'{folder.id}' in parents") == []
    assert "Only Bob.txt" not in names(everything(ann))
    assert names(everything(bob, q=f"'{folder.id}' in parents")) == {"Only Bob.txt"}


def test_without_supports_all_drives_a_shared_drive_item_is_not_found(ann, drive, refusal):
    item = drive.named("team.txt").id
    assert refusal(ann.files().get(fileId=item)) == (404, "notFound", "fileId")
    assert ann.files().get(fileId=item, supportsAllDrives=True).execute()["name"] == "team.txt"


def test_shared_drives_are_listed_only_when_all_three_parameters_are_there(ann, bob, drive, team, everything, refusal):
    whole = {"corpora": "drive", "driveId": team, "includeItemsFromAllDrives": True, "supportsAllDrives": True}
    expected = {"Plans", "team.txt", "plan.txt", "Plan", "team.bin", "old plan.txt"}
    assert names(everything(ann, **whole)) == names(everything(bob, **whole)) == expected
    assert refusal(ann.files().list(**{**whole, "supportsAllDrives": False}))[0] == 404
    assert refusal(ann.files().list(**{**whole, "includeItemsFromAllDrives": False}))[0] == 403
    assert refusal(ann.files().list(corpora="drive"))[0] == 400
    assert refusal(ann.files().list(**{**whole, "corpora": "user"}))[0] == 400
    assert refusal(ann.files().list(**{**whole, "driveId": "0Anowhere"})) == (404, "notFound", "driveId")
    drive.admin("users", {"email": "eve@example.com"})
    eve = drive.client("eve@example.com")
    assert refusal(eve.files().list(**whole))[0] == 404


def test_all_drives_hold_mine_and_the_shared_ones_and_the_user_corpus_does_not(ann, everything):
    both = {"includeItemsFromAllDrives": True, "supportsAllDrives": True}
    mine, all_of_them = names(everything(ann, corpora="user")), names(everything(ann, corpora="allDrives", **both))
    assert all_of_them - mine == {"Plans", "team.txt", "plan.txt", "Plan", "team.bin", "old plan.txt"}
    assert mine < all_of_them


def test_incomplete_search_is_said_and_means_that_items_are_missing(ann, drive, everything):
    whole = everything(ann)
    drive.faults(incomplete_search=True)
    answer = ann.files().list(fields="incompleteSearch,files(id)", pageSize=1000).execute()
    assert answer["incompleteSearch"] is True
    assert 0 < len(answer["files"]) < len(whole)


def test_new_files_are_missing_from_listings_for_a_while_but_can_be_had_by_id(ann, drive, everything):
    drive.faults(listing_lag_ms=60_000)
    made = drive.admin("edit", {"action": "create", "name": "brand new.txt", "text": "x"})
    assert "brand new.txt" not in names(everything(drive.client(ANN), q="name = 'brand new.txt'"))
    assert ann.files().get(fileId=made["id"]).execute()["name"] == "brand new.txt"
    drive.admin("clock", {"offset_ms": 61_000})
    assert "brand new.txt" in names(everything(ann, q="name = 'brand new.txt'"))


def test_order_by_several_keys(ann, drive, everything):
    place = drive.named("Odd names").id
    found = everything(ann, q=f"'{place}' in parents", orderBy="folder,name desc")
    assert [f["mimeType"] == FOLDER for f in found] == [True, True] + [False] * (len(found) - 2)
    plain = [f["name"].casefold() for f in found[2:]]
    assert plain == sorted(plain, reverse=True)
    times = [f["modifiedTime"] for f in everything(ann, orderBy="modifiedTime", fields="files(modifiedTime)")]
    assert times == sorted(times)


def test_natural_order_counts_numbers(ann, drive, everything):
    for name in ("n10", "n9", "n1"):
        drive.admin("edit", {"action": "create", "name": name, "text": ""})
    query = "name contains 'n1' or name = 'n9'"
    assert [f["name"] for f in everything(ann, q=query, orderBy="name_natural")] == ["n1", "n9", "n10"]
    assert [f["name"] for f in everything(ann, q=query, orderBy="name")] == ["n1", "n10", "n9"]


def test_bad_orders_are_refused(ann, refusal):
    assert refusal(ann.files().list(orderBy="size")) == (400, "invalid", "orderBy")
    assert refusal(ann.files().list(orderBy="name", q="fullText contains 'x'")) == (400, "badRequest", "orderBy")


def test_a_long_question_goes_as_a_post_that_says_it_is_a_get(ann, drive, everything):
    query = "name = 'empty.txt' or " + " or ".join(f"name = 'nothing {'x' * 60} {n}'" for n in range(40))
    assert len(query) > 2048
    assert names(everything(ann, q=query)) == {"empty.txt"}
    assert drive.server.service.stats.calls["files.list"] == 1


def test_gzip_comes_only_when_both_headers_ask(drive):
    import urllib.request

    def encoding(**headers):
        headers["Authorization"] = f"Bearer {drive.server.token(ANN)}"
        with urllib.request.urlopen(urllib.request.Request(f"{drive.url}/drive/v3/files", headers=headers)) as answer:
            return answer.headers.get("Content-Encoding")

    assert encoding(**{"Accept-Encoding": "gzip", "User-Agent": "backup (gzip)"}) == "gzip"
    assert encoding(**{"Accept-Encoding": "gzip", "User-Agent": "backup"}) is None
    assert encoding(**{"User-Agent": "backup (gzip)"}) is None


def test_a_keyed_file_is_not_found_without_its_key(ann, drive, refusal, everything):
    keyed = drive.named("Keyed.txt")
    (listed,) = everything(ann, q="name = 'Keyed.txt'", fields="files(id,resourceKey)")
    assert listed == {"id": keyed.id, "resourceKey": keyed.resource_key}
    assert refusal(ann.files().get(fileId=keyed.id)) == (404, "notFound", "fileId")
    for key, status in ((keyed.resource_key, 200), ("wrong", 404)):
        request = ann.files().get(fileId=keyed.id)
        request.headers["X-Goog-Drive-Resource-Keys"] = f"other/1,{keyed.id}/{key}"
        if status == 200:
            assert request.execute()["name"] == "Keyed.txt"
        else:
            assert refusal(request)[0] == 404


def test_shared_drives_come_ten_on_a_page(ann, drive):
    for number in range(14):
        drive.admin("drives", {"name": f"Drive {number}", "members": {ANN: "reader"}})
    drive.admin("drives", {"name": "Not hers", "members": {BOB: "organizer"}})
    first = ann.drives().list().execute()
    second = ann.drives().list(pageToken=first["nextPageToken"]).execute()
    assert (len(first["drives"]), len(second["drives"])) == (10, 5)
    assert "nextPageToken" not in second
    assert "Not hers" not in names(first["drives"] + second["drives"])


def test_a_shared_drives_root_has_the_drives_id(ann, team):
    root = ann.files().get(fileId=team, supportsAllDrives=True, fields="id,mimeType,driveId").execute()
    assert root == {"id": team, "mimeType": FOLDER, "driveId": team}
    assert ann.drives().get(driveId=team).execute()["name"] == "Team"


def test_about_needs_fields_and_tells_who_i_am(ann, refusal):
    assert refusal(ann.about().get()) == (400, "required", "fields")
    about = ann.about().get(fields="user(emailAddress),exportFormats").execute()
    assert about["user"] == {"emailAddress": ANN}
    assert "application/pdf" in about["exportFormats"]["application/vnd.google-apps.document"]


def test_file_lacking_a_sha256_has_the_rest(ann, drive):
    file = ann.files().get(fileId=drive.named("old.dat").id, fields="md5Checksum,sha1Checksum,sha256Checksum").execute()
    assert set(file) == {"md5Checksum"}


def test_directory_lists_users_for_administrators_only(drive, refusal):
    for number in range(5):
        drive.admin("users", {"email": f"user{number}@example.com"})
    admin = drive.client(ANN, api="admin.directory_v1")
    users, request = [], admin.users().list(customer="my_customer", maxResults=3)
    while request is not None:
        answer = request.execute()
        users += [user["primaryEmail"] for user in answer["users"]]
        request = admin.users().list_next(request, answer)
    assert users == sorted([ANN, BOB, *(f"user{n}@example.com" for n in range(5))])
    assert refusal(drive.client(BOB, api="admin.directory_v1").users().list(customer="my_customer"))[0] == 403
    assert refusal(admin.users().list(domain="example.org"))[:2] == (404, "notFound")


def test_directory_knows_organisational_units_and_needs_its_own_scope(drive, refusal):
    drive.admin("users", {"email": "cid@example.com", "org_unit": "/Sales", "suspended": True})
    drive.admin("users", {"email": ANN, "admin": True, "drive_enabled": False})
    fields = "users(primaryEmail,orgUnitPath,suspended)"
    answer = drive.client(ANN, api="admin.directory_v1").users().list(domain="example.com", fields=fields).execute()
    cid = {"primaryEmail": "cid@example.com", "orgUnitPath": "/Sales", "suspended": True}
    assert cid in answer["users"]
    without = drive.client(ANN, "drive.readonly", api="admin.directory_v1").users().list(customer="my_customer")
    assert refusal(without)[:2] == (403, "insufficientPermissions")
