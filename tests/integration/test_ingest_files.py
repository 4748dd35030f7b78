"""Files from real servers to raw: lists, globs, dates, pages of links, buckets, folders, breaks and kills."""

import gzip
import io
import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from ulid import ULID

from ingest.amounts import Amount
from ingest.landing import Pull, pull
from ingest.replay import ensure_decoded
from ingest.suggest import suggest
from lake.declarations import parse_yaml
from lake.errors import SourceError, TemporaryError, UsageError
from lake.files_source import FilesSource
from lake.settings import HOME
from lake.source import Source
from lake.sources import source_from
from local.feed_answers import file_answer
from local.feeds import Answer, Feeds
from store import raw
from store.objects import Objects
from tests.integration.conftest import Server, decoded_rows, lake_of


def files_source(**more: Any) -> Any:
    declared = {"name": "things", "description": "One row per thing.", "kind": "files", "load": "append"}
    columns = {"id": "bigint", "file": {"type": "string", "from": "@file"}}
    return source_from({**declared, "columns": columns, **more}, "things.yaml")


def landed(source: Any, objects: Objects, came: list[Amount] | None = None) -> Pull:
    def tell(name: str, told: str | Amount) -> None:
        if came is not None and isinstance(told, Amount):
            came.append(told)

    return pull(source.name, {source.name: source}, objects, str(ULID()), tell)


def rows(objects: Objects, source: Any) -> list[tuple[str | None, str | None]]:
    """Id and file of the newest run's rows."""
    head = raw.head(objects, source.name)
    assert head
    decoding = raw.decoding_of(objects, head, source.decoding)
    assert decoding
    return [(row["id"], row["file"]) for row in decoded_rows(objects, decoding)]


def asked(feeds: Feeds) -> list[str]:
    """The paths asked for since the last time."""
    found = [request.path for request in feeds.requests]
    feeds.requests.clear()
    return found


@pytest.fixture
def two(feeds: Feeds) -> list[str]:
    """Two files behind addresses."""
    feeds.files.update({"a.csv": b"id\n1\n", "b.csv": b"id\n2\n"})
    return [f"{feeds.files_url}/a.csv", f"{feeds.files_url}/b.csv"]


@pytest.mark.parametrize("load", ["append", "merge"])
def test_only_new_and_changed_files_make_a_run(feeds: Feeds, objects: Objects, two: list[str], load: str) -> None:
    source = files_source(urls=two, load=load, key=["id"])
    assert landed(source, objects).rows == 2
    assert landed(source, objects).outcome == "unchanged"
    assert all("if-none-match" in request.headers for request in feeds.requests[-2:])
    feeds.files["b.csv"] = b"id\n2\n3\n"
    assert landed(source, objects).outcome == "new"
    assert rows(objects, source) == [("2", "b.csv"), ("3", "b.csv")]
    assert landed(source, objects).outcome == "unchanged"


def test_a_snapshot_holds_every_file_and_fetches_only_what_changed(feeds: Feeds, objects: Objects, two: list[str]) -> None:
    source = files_source(urls=two, load="snapshot", key=["id"])
    landed(source, objects)
    feeds.files["b.csv"] = b"id\n3\n"
    sent = feeds.files["a.csv"]
    landed(source, objects)
    assert rows(objects, source) == [("1", "a.csv"), ("3", "b.csv")]
    head = raw.head(objects, "things")
    assert head
    assert objects.get(head.originals[0].key) == sent
    assert landed(source, objects).outcome == "unchanged"


def test_how_far_it_is_is_told_in_bytes_of_the_file_and_then_in_rows(feeds: Feeds, objects: Objects) -> None:
    rows = 60_000
    feeds.files["a.csv"] = b"id\n" + b"".join(b"%d\n" % n for n in range(rows))
    whole, came = len(feeds.files["a.csv"]), list[Amount]()
    landed(files_source(url=f"{feeds.files_url}/a.csv"), objects, came=came)
    assert [each.share for each in came if each.bytes] == [each.bytes / whole for each in came if each.bytes]
    assert any(each.share and 0 < each.share < 1 for each in came)
    assert (came[-1].rows, came[-1].bytes, came[-1].share) == (rows, whole, 1.0)


def test_an_equal_file_with_another_tag_is_no_news(feeds: Feeds, objects: Objects, two: list[str]) -> None:
    source = files_source(urls=two)
    landed(source, objects)
    feeds.faults["/files/a.csv"] = [Answer(200, b"id\n1\n", {"ETag": '"other"'})]
    assert landed(source, objects).outcome == "unchanged"


def test_the_links_of_a_page_that_match_are_the_files(feeds: Feeds, objects: Objects) -> None:
    page = '<a href="?C=N">by name</a><a href="x%201.csv">1</a><a href="readme.txt">r</a><a href="http://127.0.0.2/files/dir/x2.csv">2</a>'
    feeds.files.update({"dir": page.encode(), "dir/x 1.csv": b"id\n1\n", "dir/x3.csv": b"id\n3\n"})
    source = files_source(url=f"{feeds.files_url}/dir/x*.csv", load="snapshot", key=["id"], max_shrink=1)
    landed(source, objects)
    assert rows(objects, source) == [("1", "x 1.csv")]
    feeds.files["dir"] = b'<a href="x3.csv">3</a>'
    pull = landed(source, objects)
    assert rows(objects, source) == [("3", "x3.csv")]
    assert any("x%201.csv is gone, and its rows leave" in note for note in pull.notes)


def test_a_page_without_matching_links_is_an_error_unless_declared(feeds: Feeds, objects: Objects) -> None:
    feeds.files["dir"] = b"<p>nothing</p>"
    with pytest.raises(SourceError, match="got no such file, expected one"):
        landed(files_source(url=f"{feeds.files_url}/dir/x*.csv"), objects)
    assert landed(files_source(url=f"{feeds.files_url}/dir/x*.csv", missing="skip"), objects).rows == 0


def test_dates_ask_for_every_month_and_pass_over_those_that_are_not_there(feeds: Feeds, objects: Objects) -> None:
    feeds.files.update({"2024-01.csv": b"id\n1\n", "2024-03.csv": b"id\n3\n"})
    dated = {"type": "string", "from": "@date"}
    source = files_source(
        url=f"{feeds.files_url}/{{date:%Y-%m}}.csv",
        dates={"from": "2024-01-01", "to": "2024-03-31"},
        missing="skip",
        columns={"id": "bigint", "file": dated},
    )
    landed(source, objects)
    assert rows(objects, source) == [("1", "2024-01-01"), ("3", "2024-03-01")]
    feeds.files["2024-02.csv"] = b"id\n2\n"
    landed(source, objects)
    assert rows(objects, source) == [("2", "2024-02-01")]
    later = source.dates.model_copy(update={"to": source.dates.from_.replace(month=5)})
    strict = source.model_copy(update={"missing": "error", "dates": later})
    with pytest.raises(SourceError, match="status 404"):
        landed(strict, objects)


def test_a_broken_download_goes_on_by_a_range(feeds: Feeds, objects: Objects) -> None:
    content = b"id\n" + b"".join(b"%d\n" % number for number in range(50_000))
    feeds.files["big.csv"] = content
    whole = file_answer(content, {})
    feeds.faults["/files/big.csv"] = [Answer(200, content, whole.headers, truncate_at=100_000)]
    source = files_source(url=f"{feeds.files_url}/big.csv")
    assert landed(source, objects).rows == 50_000
    assert [request.headers.get("range", "").startswith("bytes=") for request in feeds.requests] == [False, True]
    head = raw.head(objects, "things")
    assert head
    assert objects.get(head.originals[0].key) == content


def test_a_file_that_changes_in_a_break_is_fetched_from_its_start(feeds: Feeds, objects: Objects) -> None:
    old, new = b"id\n" + b"1\n" * 50_000, b"id\n" + b"2\n" * 50_000
    feeds.files["big.csv"] = new
    feeds.faults["/files/big.csv"] = [Answer(200, old, file_answer(old, {}).headers, truncate_at=60_000)]
    source = files_source(url=f"{feeds.files_url}/big.csv")
    landed(source, objects)
    assert {row[0] for row in rows(objects, source)} == {"2"}


@pytest.mark.parametrize("load", ["append", "snapshot"])
def test_a_pull_that_was_broken_off_goes_on_with_the_next_file(
    feeds: Feeds, objects: Objects, monkeypatch: pytest.MonkeyPatch, load: str
) -> None:
    monkeypatch.setattr("ingest.files.CHECKPOINT_SECONDS", 0)
    feeds.files.update({f"{number}.csv": b"id\n%d\n" % number for number in range(5)})
    source = files_source(urls=[f"{feeds.files_url}/{number}.csv" for number in range(5)], load=load, key=["id"])
    feeds.faults["/files/3.csv"] = [Answer(503, headers={"Retry-After": "0"})] * 5
    with pytest.raises(TemporaryError):
        landed(source, objects)
    asked(feeds)
    assert landed(source, objects).rows == 5
    assert asked(feeds) == ["/files/3.csv", "/files/4.csv"]
    assert [row[0] for row in rows(objects, source)] == ["0", "1", "2", "3", "4"]
    assert landed(source, objects).outcome == "unchanged"


def test_a_list_that_changed_meanwhile_begins_again(feeds: Feeds, objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.files.CHECKPOINT_SECONDS", 0)
    feeds.files.update({"dir": b'<a href="1.csv"></a><a href="2.csv"></a>', "dir/1.csv": b"id\n1\n", "dir/2.csv": b"id\n2\n"})
    source = files_source(url=f"{feeds.files_url}/dir/*.csv")
    feeds.faults["/files/dir/2.csv"] = [Answer(503, headers={"Retry-After": "0"})] * 5
    with pytest.raises(TemporaryError):
        landed(source, objects)
    feeds.files.update({"dir": b'<a href="0.csv"></a><a href="2.csv"></a>', "dir/0.csv": b"id\n0\n"})
    landed(source, objects)
    assert [row[0] for row in rows(objects, source)] == ["0", "2"]


@pytest.fixture
def bucket(minio_server: Server) -> Any:
    """Somebody else's bucket."""
    variables = minio_server.variables
    client = boto3.client(
        "s3",
        endpoint_url=variables["LAKE_S3_ENDPOINT"],
        region_name="us-east-1",
        aws_access_key_id=variables["LAKE_S3_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["LAKE_S3_SECRET_ACCESS_KEY"],
    )
    name = f"theirs-{str(ULID()).lower()}"
    client.create_bucket(Bucket=name)
    return lambda key, data: client.put_object(Bucket=name, Key=key, Body=data) and name


def in_bucket(name: str, pattern: str, **more: Any) -> Any:
    access = {
        "endpoint": "${env:LAKE_S3_ENDPOINT}",
        "access_key_id": "${env:LAKE_S3_ACCESS_KEY_ID}",
        "secret_access_key": "${env:LAKE_S3_SECRET_ACCESS_KEY}",
    }
    return files_source(url=f"s3://{name}/{pattern}", s3=access, **more)


def test_a_glob_in_a_bucket_brings_new_and_changed_objects(objects: Objects, bucket: Any) -> None:
    bucket("x/a.csv", b"id\n1\n")
    bucket("x/y/c.csv", b"id\n9\n")
    name = bucket("x/b.csv", b"id\n2\n")
    source = in_bucket(name, "x/*.csv")
    landed(source, objects)
    assert rows(objects, source) == [("1", "a.csv"), ("2", "b.csv")]
    assert landed(source, objects).outcome == "unchanged"
    bucket("x/a.csv", b"id\n3\n")
    bucket("x/d e.csv", b"id\n4\n")
    landed(source, objects)
    assert rows(objects, source) == [("3", "a.csv"), ("4", "d e.csv")]


def test_a_bucket_or_key_that_is_not_there_is_named(objects: Objects, bucket: Any) -> None:
    name = bucket("a.csv", b"id\n")
    with pytest.raises(SourceError, match=f"things: s3://{name}/b.csv: got no such file"):
        landed(in_bucket(name, "b.csv"), objects)
    with pytest.raises(UsageError, match="got no such bucket"):
        landed(in_bucket("no-such-bucket-here", "b*.csv"), objects)
    wrong = in_bucket(name, "a.csv")
    wrong = wrong.model_copy(update={"s3": wrong.s3.model_copy(update={"secret_access_key": "hunter2hunter2"})})
    with pytest.raises(UsageError) as caught:
        landed(wrong, objects)
    assert "hunter2" not in str(caught.value)


def test_files_of_this_machine_are_told_apart_by_size_and_time(objects: Objects, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    (folder / "a.csv").write_bytes(b"id\n1\n")
    (folder / "b.csv").write_bytes(b"id\n2\n")
    source = files_source(url=f"file://{folder}/*.csv")
    landed(source, objects)
    os.utime(folder / "a.csv")
    assert landed(source, objects).outcome == "unchanged"
    (folder / "b.csv").write_bytes(b"id\n3\n")
    os.utime(folder / "b.csv", (1, 1))
    landed(source, objects)
    assert rows(objects, source) == [("3", "b.csv")]
    with pytest.raises(SourceError, match="more bytes than max_bytes 2"):
        landed(files_source(url=f"file://{folder}/a.csv", max_bytes=2), objects)


def test_the_original_of_an_archive_stays_and_is_decoded_again(feeds: Feeds, objects: Objects) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", "id,more\n1,x\n")
        archive.writestr("b.csv", "id,more\n2,y\n")
    feeds.files["t.zip"] = buffer.getvalue()
    source = files_source(url=f"{feeds.files_url}/t.zip")
    landed(source, objects)
    head = raw.head(objects, "things")
    assert head
    assert head.originals[0].key.endswith(".zip")
    assert objects.get(head.originals[0].key) == buffer.getvalue()
    wider = source.model_copy(update={"columns": {**source.columns, "more": source.columns["id"]}})
    (decoding,) = ensure_decoded(wider, objects, [head])
    assert [(row["id"], row["more"]) for row in decoded_rows(objects, decoding)] == [("1", "x"), ("2", "y")]


def test_secrets_of_an_address_are_neither_stored_nor_told(feeds: Feeds, objects: Objects) -> None:
    feeds.files["a.csv"] = b"id\n1\n"
    source = files_source(url=feeds.files_url.replace("//", "//ann:hunter2@") + "/a.csv?token=hunter2")
    landed(source, objects)
    assert all(b"hunter2" not in objects.get(info.key) for info in objects.list("") if info.key.endswith(".json"))
    feeds.faults["/files/a.csv"] = [Answer(404)]
    with pytest.raises(SourceError) as caught:
        landed(source, objects)
    assert "hunter2" not in str(caught.value)


SAMPLES = {
    "flights.csv": b"Flight No;Dep;Price;Day;At;Ok;Note\n" + b"".join(
        b"%d;12,5%d;%d,50;2024-01-%02d;2024-01-01T00:00:00Z;true;NA\n" % (n, n, n, n) for n in range(1, 10)
    ),
    "lines.jsonl": b'{"id": 1, "rating": {"rate": 4.50}}\n{"id": 2, "rating": {"rate": 3.25}}\n',
    "report.csv": "Bericht vom 01.02.2026\n\nStraße;Größe\nA;1,5\nB;2,5\n".encode("cp1252"),
    "body.json": b'{"next": null, "rows": [{"id": "a"}, {"id": "b"}]}',
}  # fmt: skip


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("flights.csv", {"delimiter": ";", "decimal": ",", "key": ["flight_no"]}),
        ("lines.jsonl", {"format": "jsonl", "key": ["id"]}),
        ("report.csv", {"skip_lines": 2, "key": ["strasse"]}),
        ("body.json", {"format": "json", "records": "rows"}),
    ],
)
def test_a_suggested_declaration_is_valid_and_pulls(feeds: Feeds, objects: Objects, file: str, expected: Any) -> None:
    feeds.files[file] = SAMPLES[file]
    text = suggest(f"{feeds.files_url}/{file}", objects.settings)
    declared = parse_yaml(text, "suggested")
    assert {name: declared.get(name) for name in expected} == expected, text
    source = source_from(declared, "suggested")
    assert landed(source, objects).faults == 0, text


def test_what_a_sample_shows_becomes_types(feeds: Feeds, objects: Objects) -> None:
    feeds.files["flights.csv"] = SAMPLES["flights.csv"]
    declared = parse_yaml(suggest(f"{feeds.files_url}/flights.csv", objects.settings), "suggested")
    assert declared["columns"] == {
        "flight_no": {"type": "bigint", "from": "Flight No"},
        "dep": {"type": "decimal(18,2)", "from": "Dep"},
        "price": {"type": "decimal(18,2)", "from": "Price"},
        "day": {"type": "date", "from": "Day"},
        "at": {"type": "timestamp", "from": "At"},
        "ok": {"type": "boolean", "from": "Ok"},
        "note": {"type": "string", "from": "Note"},
    }


def test_what_was_detected_is_in_the_manifest_and_told(feeds: Feeds, objects: Objects) -> None:
    feeds.files.update({"a.csv": b"id;x\n1;2\n", "b.csv": "id|x\n1|é\n".encode("cp1252")})
    urls = [f"{feeds.files_url}/a.csv", f"{feeds.files_url}/b.csv"]
    pull = landed(files_source(urls=urls, delimiter="detect", encoding="detect"), objects)
    head = raw.head(objects, "things")
    assert head
    assert head.first_decoding.detected == {"delimiter": [";", "|"], "encoding": ["utf-8", "iso8859-1"]}
    assert any("detected delimiter ';', '|'" in note for note in pull.notes)


ORDERS = """export of 1 March
Order No;Customer;Total;Changed
1;"Pérez; Juan";1.234,50;2024-01-02 10:00
2;NA;7,00;2024-01-03 11:00
3;Ana;1234.5;2024-01-03 11:00
4;Ana;5,00;2024-01-03 11:00;?
4 rows
"""


def test_the_example_of_the_guide_works(feeds: Feeds, minio_server: Server, tmp_path: Path) -> None:
    guide = (HOME / "docs" / "guides" / "files-source.md").read_text()
    example = guide.partition("```yaml\n")[2].partition("```")[0]
    source = source_from(parse_yaml(example, "files-source.md"), "files-source.md")
    feeds.files["orders-2024-01.csv.gz"] = gzip.compress(ORDERS.encode("cp1252"))
    objects = Objects(lake_of(minio_server, tmp_path, SHOP_FILES_URL=feeds.files_url))
    assert (landed(source, objects).rows, landed(source, objects).outcome) == (4, "unchanged")
    head = raw.head(objects, "orders")
    assert head
    found = decoded_rows(objects, head.first_decoding)
    assert [(row["order_id"], row["customer"], row["total"], row["month"]) for row in found] == [
        ("1", "Pérez; Juan", "1234.50", "2024-01-01"),
        ("2", None, "7.00", "2024-01-01"),
        ("3", "Ana", None, "2024-01-01"),
        (None, None, None, "2024-01-01"),
    ]
    faults = [json.loads(row["_faults"])[0] for row in found if row["_faults"]]
    assert [(fault["rule"], fault["value"]) for fault in faults] == [
        ("number", "1234.5"),
        ("ragged", "4;Ana;5,00;2024-01-03 11:00;?"),
    ]


@pytest.mark.guard
def test_the_guide_names_every_key_of_a_source_of_files() -> None:
    guide = (HOME / "docs" / "guides" / "files-source.md").read_text()
    known = set(FilesSource.model_fields) - set(Source.model_fields)
    told = {name for name in known if re.search(rf"\b{name}\b", guide)}
    assert known - told <= {"headers", "timeout_seconds", "max_bytes", "quote", "comment"}
