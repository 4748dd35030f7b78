"""Objects, compare-and-swap, and what the lake says when its store is away or refuses."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ulid import ULID

from ingest.landing import pull
from ingest.verify import verify
from lake.errors import ConflictError, LakeError, TemporaryError, UsageError
from lake.settings import Settings, read_settings
from local import minio
from local.feeds import Feeds
from store import runs
from store.documents import Document, change_document, read_document
from store.objects import Objects
from tests.integration.conftest import lake_of, rest_source, server


def test_an_object_is_read_as_it_was_written(objects: Objects) -> None:
    objects.put("a/b", b"x")
    assert objects.get("a/b") == b"x"
    assert objects.bytes_of("a/b") == 1
    assert objects.read("a/c") is None
    assert objects.sha256("a/c") is None
    with pytest.raises(LakeError, match=r"s3://.*/lake/a/c: the object is missing"):
        objects.get("a/c")


def test_an_object_is_created_once(objects: Objects) -> None:
    objects.create("a", b"1")
    with pytest.raises(ConflictError):
        objects.create("a", b"2")
    assert objects.get("a") == b"1"


def test_a_create_that_finds_its_own_bytes_has_succeeded(objects: Objects) -> None:
    assert objects.create("a", b"1") == objects.create("a", b"1")


def test_a_swap_needs_the_tag_of_what_it_replaces(objects: Objects) -> None:
    first = objects.create("a", b"1")
    second = objects.swap("a", b"2", first)
    with pytest.raises(ConflictError):
        objects.swap("a", b"3", first)
    assert objects.swap("a", b"3", second)
    assert objects.get("a") == b"3"


def test_a_swap_does_not_bring_back_what_is_gone(objects: Objects) -> None:
    tag = objects.create("a", b"1")
    objects.delete(["a"])
    with pytest.raises(ConflictError):
        objects.swap("a", b"2", tag)
    assert objects.read("a") is None


def test_of_many_writers_none_is_lost(objects: Objects) -> None:
    def add(name: int) -> None:
        def change(document: Document | None) -> Document:
            return {"names": [*(document or {"names": []})["names"], name]}

        change_document(objects, "names", change)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(12)))
    document = read_document(objects, "names")
    assert document
    assert sorted(document["names"]) == list(range(12))


def test_lists_stay_within_the_lake_and_its_prefix(objects: Objects, lake_settings: Settings) -> None:
    other = Objects(read_settings({**lake_settings.environment, "LAKE_ROOT": f"s3://{lake_settings.bucket}/other"}))
    other.put("raw/x/1", b"")
    for number in range(3):
        objects.put(f"raw/x/{number}", b"")
    assert [info.key for info in objects.list("raw/")] == ["raw/x/0", "raw/x/1", "raw/x/2"]
    assert list(objects.folders("raw/")) == ["raw/x/"]
    assert objects.delete(info.key for info in objects.list("raw/")) == 3
    assert [info.key for info in other.list("")] == ["raw/x/1"]


def test_files_go_up_and_come_down(objects: Objects, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(b"x" * 100)
    objects.put_file("file", tmp_path / "up")
    objects.download("file", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == b"x" * 100


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LAKE_ROOT", "s3://no-such-bucket-here", "bucket 'no-such-bucket-here' does not exist"),
        ("LAKE_S3_SECRET_ACCESS_KEY", "wrong", "SignatureDoesNotMatch; check the identity"),
        ("LAKE_S3_ACCESS_KEY_ID", "nobody", "InvalidAccessKeyId; check the identity"),
    ],
)
def test_a_wrong_setting_is_the_users_mistake(lake_settings: Settings, name: str, value: str, said: str) -> None:
    wrong = Objects(read_settings({**lake_settings.environment, name: value}))
    with pytest.raises(UsageError, match=said):
        wrong.read("a")


def test_a_store_that_stops_is_temporary_trouble_and_the_next_run_works(feeds: Feeds, tmp_path: Path) -> None:
    mine = server(minio, tmp_path)
    mine.start()
    try:
        objects = Objects(lake_of(mine, tmp_path))
        source = rest_source(feeds, "things", "/products", {"id": "bigint"})
        mine.stop()
        with pytest.raises(TemporaryError, match="S3 does not answer"):
            pull("things", {"things": source}, objects, str(ULID()))
        mine.start()
        assert pull("things", {"things": source}, objects, str(ULID())).rows == 20
        assert verify(objects).problems == []
    finally:
        mine.stop()


def test_a_run_is_remembered_with_its_plan_and_tables(objects: Objects) -> None:
    run = str(ULID())
    runs.write_plan(objects, run, {"build": ["a"]})
    runs.write_table_record(objects, run, "trusted.a", {"rows": 1})
    runs.write_record(objects, run, {"outcome": "done"})
    assert list(runs.run_ids(objects)) == [run]
    assert runs.read_plan(objects, run) == {"build": ["a"]}
    assert runs.table_records(objects, run) == {"trusted.a": {"rows": 1}}
    assert runs.read_record(objects, run) == {"outcome": "done"}
