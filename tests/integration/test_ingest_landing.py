"""From sources to raw: runs, looks that find nothing new, conditional questions, failures, replays and proofs."""

import hashlib
import json
from typing import Any

import pytest
from ulid import ULID

from ingest.bots import Failure, pull_all
from ingest.landing import Pull, pull
from ingest.replay import ensure_decoded, replay
from ingest.verify import raw_list, sweep, verify
from lake import paths
from lake.errors import CorruptionError, LockedError, SourceError, TemporaryError, UsageError
from lake.settings import Settings
from local.feeds import Answer, Feeds, json_answer
from store import leases, raw
from store.documents import encoded, read_document
from store.objects import Objects
from tests.integration.conftest import decoded_rows, rest_source, shop_sources


def run_id() -> str:
    return str(ULID())


def landed(source: Any, objects: Objects, **others: Any) -> Pull:
    return pull(source.name, {source.name: source, **others}, objects, run_id())


def things(feeds: Feeds, value: Any, **more: Any) -> Any:
    feeds.data["users"] = value
    return rest_source(feeds, "things", "/users", {"id": "bigint", "name": "string"}, **more)


def rows_of(objects: Objects, source: Any) -> list[tuple[str | None, ...]]:
    head = raw.head(objects, source.name)
    assert head
    decoding = raw.decoding_of(objects, head, source.decoding)
    assert decoding
    return [tuple(row[name] for name in source.columns) for row in decoded_rows(objects, decoding)]


def shop_names(*more: str) -> list[str]:
    return ["carts", "categories", "category_products", "exchange_rates", "products", "users", *more]


def test_the_shop_lands_whole_and_a_second_look_finds_nothing_new(shop_lake: Settings) -> None:
    objects, sources = Objects(shop_lake), shop_sources()
    first = pull_all(sources, shop_names(), shop_lake, objects)
    assert [(pulled.source, pulled.outcome, pulled.rows) for pulled in first if isinstance(pulled, Pull)] == [
        ("carts", "new", 14),
        ("categories", "new", 4),
        ("category_products", "new", 20),
        ("exchange_rates", "new", 364),
        ("products", "new", 20),
        ("users", "new", 10),
    ]
    second = pull_all(sources, shop_names(), shop_lake, objects)
    assert {pulled.outcome for pulled in second if isinstance(pulled, Pull)} == {"unchanged"}
    assert all(len(raw_list(objects, name)) == 1 for name in shop_names())
    assert verify(objects).problems == []


def test_a_manifest_proves_bytes_and_names_the_source(feeds: Feeds, objects: Objects) -> None:
    source = things(feeds, [{"id": 1}])
    landed(source, objects)
    head = raw.head(objects, "things")
    assert head
    original = head.originals[0]
    body = objects.get(original.key)
    assert body == b'[{"id":1}]'
    assert (original.bytes, original.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert (original.url, original.status, original.content_type) == (
        f"{feeds.url}/users",
        200,
        "application/json; charset=utf-8",
    )


def test_changed_bytes_make_the_next_run_of_the_chain(feeds: Feeds, objects: Objects) -> None:
    source = things(feeds, [{"id": 1}])
    first = landed(source, objects)
    feeds.data["users"].append({"id": 2})
    second = landed(source, objects)
    assert [row["seq"] for row in raw_list(objects, "things")] == [2, 1]
    assert second.run > first.run
    assert rows_of(objects, source) == [("1", None), ("2", None)]
    assert verify(objects, ["things"]).problems == []


def test_the_next_run_is_later_than_the_last_whatever_id_it_is_given(feeds: Feeds, objects: Objects) -> None:
    source, same = things(feeds, [{"id": 1}]), run_id()
    pull("things", {"things": source}, objects, same)
    feeds.data["users"].append({"id": 2})
    assert pull("things", {"things": source}, objects, same).run > same


def test_a_look_that_finds_nothing_new_is_noted(feeds: Feeds, objects: Objects) -> None:
    source = things(feeds, [{"id": 1}])
    landed(source, objects)
    before = raw.source_state(objects, "things")
    landed(source, objects)
    after = raw.source_state(objects, "things")
    assert after["looked_at"] > before["looked_at"]
    assert after["head"] == before["head"]


def test_a_file_that_has_not_changed_is_not_sent_again(shop_lake: Settings, feeds: Feeds) -> None:
    objects, sources = Objects(shop_lake), shop_sources()
    pull("exchange_rates", sources, objects, run_id())
    assert pull("exchange_rates", sources, objects, run_id()).outcome == "unchanged"
    assert feeds.requests[-1].headers["if-none-match"].startswith('"')


def test_when_one_of_many_answers_changed_all_are_fetched(feeds: Feeds, objects: Objects) -> None:
    names = rest_source(feeds, "names", "/products/categories", {"name": {"type": "string", "from": "$"}})
    each = {"name": {"source": "names", "column": "name"}}
    columns = {"name": {"type": "string", "from": "@name"}, "id": "bigint"}
    source = rest_source(feeds, "listed", "/products/category/{name}", columns, for_each=each)
    sources = {"names": names, "listed": source}
    pull_all(sources, list(sources), objects.settings, objects)
    feeds.faults["/products/category/electronics"] = [Answer(304)]
    jewelery = [product for product in feeds.data["products"] if product["category"] == "jewelery"]
    jewelery[0]["title"] = "changed"
    assert landed(source, objects, names=names).outcome == "new"
    assert len(rows_of(objects, source)) == 20


def test_a_failure_stops_only_its_own_source(shop_lake: Settings, feeds: Feeds) -> None:
    feeds.faults["/carts"] = [Answer(200, b"null")]
    feeds.faults["/users"] = [Answer(404, b"<html>no</html>", {"content-type": "text/html"})]
    found = {outcome.source: outcome for outcome in pull_all(shop_sources(), shop_names(), shop_lake)}
    carts, users = found["carts"], found["users"]
    assert isinstance(carts, Failure)
    assert str(carts.error) == f"carts: {feeds.url}/carts: got the body null, expected a list of records"
    assert isinstance(users, Failure)
    assert str(users.error) == f"users: {feeds.url}/users: got status 404, an HTML page, expected status 200"
    assert sum(isinstance(outcome, Pull) for outcome in found.values()) == 4


def test_an_answer_that_cannot_be_used_leaves_nothing_behind(feeds: Feeds, objects: Objects) -> None:
    source = things(feeds, [{"id": 1}])
    feeds.faults["/users"] = [Answer(200, b'[{"id": 1')]
    with pytest.raises(SourceError, match="truncated JSON after 9 bytes"):
        landed(source, objects)
    assert list(objects.list(paths.raw_source("things"))) == []
    assert landed(source, objects).seq == 1


def test_an_empty_list_is_a_run_without_rows(feeds: Feeds, objects: Objects) -> None:
    source = things(feeds, [])
    assert (landed(source, objects).rows, rows_of(objects, source)) == (0, [])


def test_a_source_needs_a_run_of_the_source_it_asks_with(shop_lake: Settings) -> None:
    (failed,) = pull_all(shop_sources(), ["category_products"], shop_lake)
    assert isinstance(failed, Failure)
    assert "got no run of categories yet" in str(failed.error)


def test_request_parameters_are_quoted_and_remembered(shop_lake: Settings, feeds: Feeds) -> None:
    objects, sources = Objects(shop_lake), shop_sources()
    pull_all(sources, ["categories", "category_products"], shop_lake, objects)
    assert "/products/category/men%27s%20clothing" in [request.path for request in feeds.requests]
    head = raw.head(objects, "category_products")
    assert head
    assert [original.request["category"] for original in head.originals] == [
        "electronics",
        "jewelery",
        "men's clothing",
        "women's clothing",
    ]


def test_two_runs_of_one_source_exclude_each_other(feeds: Feeds, objects: Objects) -> None:
    source = things(feeds, [{"id": 1}])
    with leases.held(objects, "source/things", run_id()), pytest.raises(LockedError, match="source/things"):
        landed(source, objects)


def test_a_server_that_stays_away_is_temporary_trouble(objects: Objects, feeds: Feeds) -> None:
    feeds.faults["/users"] = [Answer(503, headers={"Retry-After": "0"})] * 5
    with pytest.raises(TemporaryError, match=r"got status 503, an empty body.*tried 5 times"):
        landed(things(feeds, []), objects)


def test_a_body_cut_off_on_the_way_is_fetched_again(objects: Objects, feeds: Feeds) -> None:
    whole = json_answer([{"id": 1, "name": "x" * 1000}])
    feeds.faults["/users"] = [Answer(whole.status, whole.body, whole.headers, truncate_at=500)]
    assert landed(things(feeds, [{"id": 2}]), objects).rows == 1


def test_secrets_of_an_address_reach_neither_manifest_nor_message(objects: Objects, feeds: Feeds) -> None:
    source = things(feeds, [{"id": 1}])
    secret = source.model_copy(update={"url": source.url.replace("//", "//ann:hunter2@") + "?api_key=hunter2&x=1"})
    landed(secret, objects)
    head = raw.head(objects, "things")
    assert head
    assert head.originals[0].url == f"{feeds.url}/users?api_key=***&x=1"
    assert all(b"hunter2" not in objects.get(info.key) for info in objects.list("") if info.key.endswith(".json"))
    feeds.faults["/users"] = [Answer(404, b"hunter2")]
    with pytest.raises(SourceError) as caught:
        landed(secret, objects)
    assert "hunter2" not in str(caught.value)


def test_a_changed_declaration_decodes_the_unchanged_run_again(feeds: Feeds, objects: Objects) -> None:
    source = things(feeds, [{"id": 1, "name": "x", "new": 1.5}])
    landed(source, objects)
    wider = things(feeds, [{"id": 1, "name": "x", "new": 1.5}]).model_copy(
        update={"columns": {**source.columns, "new": source.columns["id"]}}
    )
    assert landed(wider, objects).outcome == "unchanged"
    assert rows_of(objects, wider) == [("1", "x", "1.5")]
    assert rows_of(objects, source) == [("1", "x")]
    assert verify(objects, ["things"]).problems == []


def test_a_replay_decodes_every_run_once(feeds: Feeds, objects: Objects) -> None:
    source = things(feeds, [{"id": 1}])
    landed(source, objects)
    feeds.data["users"].append({"id": 2})
    last = landed(source, objects)
    wider = source.model_copy(update={"columns": {**source.columns, "new": source.columns["id"]}})
    assert [done.outcome for done in replay(wider, objects)] == ["decoded", "decoded"]
    assert [(done.run, done.outcome) for done in replay(wider, objects, last.run)] == [(last.run, "present")]
    with pytest.raises(UsageError, match="lake raw list things"):
        replay(wider, objects, "01M80X98G801SSVX9DR8HXABW8")


def test_a_replay_refuses_an_original_that_is_not_what_it_was(feeds: Feeds, objects: Objects) -> None:
    source = things(feeds, [{"id": 1}])
    landed(source, objects)
    head = raw.head(objects, "things")
    assert head
    objects.put(head.originals[0].key, b'[{"id":7}]')
    wider = source.model_copy(update={"columns": {**source.columns, "new": source.columns["id"]}})
    with pytest.raises(CorruptionError, match="not those its manifest names"):
        ensure_decoded(wider, objects, [head])


def test_verify_finds_a_flipped_byte_a_missing_and_a_foreign_object(feeds: Feeds, objects: Objects) -> None:
    landed(things(feeds, [{"id": 1}]), objects)
    head = raw.head(objects, "things")
    assert head
    original, decoded = head.originals[0].key, head.first_decoding.objects[0].key
    foreign = f"{original.rpartition('/')[0]}/000002.json"
    objects.put(original, b'[{"id":7}]')
    objects.delete([decoded])
    objects.put(foreign, b"[]")
    report = verify(objects, ["things"])
    assert {(problem.kind, problem.key) for problem in report.problems} == {
        ("changed", original),
        ("missing", decoded),
        ("foreign", foreign),
    }
    changed = next(problem for problem in report.problems if problem.kind == "changed")
    assert head.originals[0].sha256 in changed.message
    assert report.objects == 2


def test_verify_finds_a_manifest_that_is_gone_or_damaged(feeds: Feeds, objects: Objects) -> None:
    source = things(feeds, [{"id": 1}])
    landed(source, objects)
    feeds.data["users"].append({"id": 2})
    landed(source, objects)
    feeds.data["users"].append({"id": 3})
    landed(source, objects)
    first, second, _ = raw.runs_after(objects, "things", 0)
    objects.put(first.link.manifest, b"{")
    objects.delete([second.link.manifest])
    found = {(problem.kind, problem.key) for problem in verify(objects, ["things"]).problems}
    assert ("damaged", first.link.manifest) in found
    assert ("foreign", second.originals[0].key) in found
    assert any(kind == "chain" for kind, _ in found)


def test_leftovers_of_a_run_that_was_given_up_are_swept(feeds: Feeds, objects: Objects) -> None:
    landed(things(feeds, [{"id": 1}]), objects)
    folder = paths.raw_run("things", run_id())
    late = paths.original(folder, 1, "json")
    objects.create(paths.manifest(folder), encoded({"state": "abandoned", "run": folder}))
    objects.put(late, b"[]")
    assert [(problem.kind, problem.key) for problem in verify(objects, ["things"]).problems] == [("orphan", late)]
    assert sweep(objects, "things") == [late]
    assert verify(objects, ["things"]).problems == []


def test_a_decoding_that_never_ended_is_swept_and_those_that_did_stay(feeds: Feeds, objects: Objects) -> None:
    run = landed(things(feeds, [{"id": 1}]), objects)
    unfinished = paths.decoded(paths.raw_run("things", run.run), "0123456789abcdef", 1)
    objects.put(unfinished, b"PAR1")
    assert [(problem.kind, problem.key) for problem in verify(objects, ["things"]).problems] == [("orphan", unfinished)]
    assert sweep(objects, "things") == [unfinished]
    assert verify(objects, ["things"]).problems == []
    assert len(raw_list(objects, "things")) == 1


def test_a_run_under_way_is_not_foreign(feeds: Feeds, objects: Objects) -> None:
    landed(things(feeds, [{"id": 1}]), objects)
    under_way = run_id()
    with leases.held(objects, "source/things", under_way) as lease:
        raw.open_run(objects, lease, "things", under_way)
        objects.put(paths.original(paths.raw_run("things", under_way), 1, "json"), b"[]")
        assert verify(objects, ["things"]).problems == []


def test_a_state_that_was_lost_is_made_again(feeds: Feeds, objects: Objects) -> None:
    source = things(feeds, [{"id": 1}])
    landed(source, objects)
    before = raw.source_state(objects, "things")["head"]
    objects.delete([paths.source_state("things")])
    assert landed(source, objects).outcome == "unchanged"
    assert raw.source_state(objects, "things")["head"] == before


def test_a_run_that_lost_its_lease_publishes_nothing(feeds: Feeds, objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    source = things(feeds, [{"id": 1}])
    put_file = objects.put_file

    def stolen(key: str, path: Any) -> None:
        put_file(key, path)
        lease = read_document(objects, paths.lease("source/things"))
        assert lease
        objects.put(paths.lease("source/things"), json.dumps({**lease, "token": 99}).encode())
        folder = key.partition("original/")[0]
        objects.create(paths.manifest(folder), encoded({"state": "abandoned", "run": "x"}))
        monkeypatch.setattr(objects, "put_file", put_file)

    monkeypatch.setattr(objects, "put_file", stolen)
    with pytest.raises(LockedError, match="given up by another run"):
        landed(source, objects)
    assert raw.head(objects, "things") is None
