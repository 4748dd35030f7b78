"""Keeps tables in shape, each under its lease: compacts, expires snapshots that nobody needs, removes leftovers."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs import compaction, expiry, iceberg
from jobs.events import tell
from jobs.java_errors import java_errors
from jobs.orphans import remove_orphans, unreached
from jobs.publications import BRANCH
from jobs.schedule import AT_ONCE, give_up
from jobs.tables import Tables
from lake import paths
from lake.errors import LakeError, LockedError
from lake.upkeep import NOTHING_TO_DO, Expiry, told
from store.catalog import STAGING
from store.documents import encoded
from store.effects import effect
from store.leases import Lease, held
from store.runs import write_table_record

Record = dict[str, Any]


@dataclass(frozen=True)
class Upkeep:
    """One run of maintenance; `order` is what the verb decided: units of tables under one lease, and what is kept."""

    tables: Tables
    run: str
    order: Record

    @property
    def readers(self) -> timedelta:
        """How long a replaced snapshot may still be read."""
        return timedelta(hours=float(self.order["hours"]))

    def all(self) -> dict[str, Record]:
        """What became of each table, several at once."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="table") as pool:
            done = list(pool.map(self._unit, self.order["units"]))
        return {table: record for records in done for table, record in records.items()}

    def _unit(self, unit: Record) -> dict[str, Record]:
        """The tables that one lease guards; left alone when another run holds it."""
        if self.order["is_dry"]:
            return {entry["table"]: self._recorded(entry, None) for entry in unit["tables"]}
        try:
            with held(self.tables.objects, unit["lease"], self.run, give_up) as lease:
                had_leftovers = lease.has_leftovers
                records = {entry["table"]: self._recorded(entry, lease) for entry in unit["tables"]}
                failed = any(record["outcome"] != "maintained" for record in records.values())
                lease.has_leftovers = failed or (had_leftovers and unit["is_part"])
                return records
        except LockedError as error:
            return {entry["table"]: self._kept(entry["table"], _locked(error)) for entry in unit["tables"]}

    def _recorded(self, entry: Record, lease: Lease | None) -> Record:
        started = time.monotonic()
        try:
            with java_errors(entry["table"]):
                facts = self._looked(entry) if lease is None else self._maintained(entry, lease)
            record = {"outcome": "maintained" if lease else "looked at", **facts, "reason": told(facts) or NOTHING_TO_DO}
        except LockedError as error:
            record = _locked(error)
        except LakeError as error:
            record = {"outcome": "failed", "reason": str(error), "exit_code": error.exit_code}
        return self._kept(entry["table"], {**record, "seconds": round(time.monotonic() - started, 3)})

    def _kept(self, table: str, record: Record) -> Record:
        if not self.order["is_dry"]:
            write_table_record(self.tables.objects, self.run, table, record)
        tell(event="table", table=table, state=record["outcome"], **{k: v for k, v in record.items() if k != "outcome"})
        return record

    def _looked(self, entry: Record) -> Record:
        """What there is to do; compaction and expiry make more files that nothing needs."""
        spark, table = self.tables.spark, entry["table"]
        now = datetime.now(UTC)
        return {
            "compacted": compaction.small_files(spark, table),
            "manifests": compaction.surplus_manifests(spark, table),
            "expired": len(self._expirable(entry, now).gone),
            "branches": len(_branches(self.tables, table)),
            "removed": sum(each.modified_at < now - self.readers for each in unreached(spark, self.tables.objects, table)),
        }

    def _maintained(self, entry: Record, lease: Lease) -> Record:
        """What was done: commits first, each by itself, then what nothing needs any more is removed."""
        spark, objects, table = self.tables.spark, self.tables.objects, entry["table"]
        facts: Record = {"branches": len(_branches(self.tables, table))}
        lease.check()
        if facts["branches"]:
            with effect(f"drop branches of {table}"):
                iceberg.drop_branches(spark, table, BRANCH)
        if compaction.small_files(spark, table):
            lease.check()
            with effect(f"compact {table}"):
                facts["compacted"] = compaction.compact(spark, table)
        if compaction.surplus_manifests(spark, table):
            lease.check()
            with effect(f"rewrite manifests of {table}"):
                facts["manifests"] = compaction.rewrite_manifests(spark, table)
        now = datetime.now(UTC)
        found = self._expirable(entry, now)
        if found.gone:
            lease.check()
            with effect(f"expire snapshots of {table}"):
                expiry.expire(spark, table, found.gone)
        facts["expired"] = len(found.gone)
        before = None if lease.has_leftovers else now - self.readers  # of a dead owner nobody reads anything
        left = unreached(spark, objects, table)
        if iceberg.names_like(spark, f"{table}{STAGING}") or any(before is None or each.modified_at < before for each in left):
            facts["removed"] = remove_orphans(spark, objects, table, self.run, lease, before)
        young = [each.modified_at + self.readers for each in left if before is not None and each.modified_at >= before]
        self._remember(entry, [*young, *([_instant(found.again_at)] if found.again_at else [])])
        return facts

    def _expirable(self, entry: Record, now: datetime) -> Expiry:
        publications = self.tables.publications(entry["table"])
        kept = {publication.snapshot for publication in publications[: self.order["keep"]]}
        return expiry.expirable(self.tables.spark, entry["table"], {*kept, *entry["pinned"]}, now, self.readers)

    def _remember(self, entry: Record, again: list[datetime]) -> None:
        """What the table was like when there was nothing left to do, so that the next run need not look before it must."""
        location = self.tables.objects.key(iceberg.metadata_location(self.tables.spark, entry["table"]))
        again_at = min(again).isoformat() if again else None
        facts = {"metadata": location, "keep": self.order["keep"], "pinned": entry["pinned"], "again_at": again_at}
        self.tables.objects.put(paths.maintenance(entry["table"]), encoded({"hours": self.order["hours"], **facts}))


def exit_code(records: dict[str, Record]) -> int:
    """Failures first; 5 only when every table was locked."""
    codes = {record["exit_code"] for record in records.values() if record["outcome"] == "failed"}
    if records and all(record["outcome"] == "skipped" for record in records.values()):
        codes.add(LockedError.exit_code)
    return next((code for code in (1, 2, 75, 3, 5) if code in codes), 0)


def _locked(error: LockedError) -> Record:
    return {"outcome": "skipped", "reason": str(error), "exit_code": error.exit_code}


def _branches(tables: Tables, table: str) -> list[str]:
    """Branches of runs that are dead: under the lease of a table there is no other."""
    return [str(name) for name in iceberg.load(tables.spark, table).refs() if str(name).startswith(BRANCH)]


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
