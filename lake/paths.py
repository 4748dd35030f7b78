"""The only module that builds a path in the lake; every path is a key relative to the lake's root."""

from datetime import UTC, datetime

from ulid import ULID

MANIFEST = "_manifest.json"
WAREHOUSE = "tables"
STATE = "state"


def run_day(run_id: str) -> str:
    """Date (UTC) on which the run began, as YYYY-MM-DD: a ULID carries its time."""
    return datetime.fromtimestamp(ULID.from_str(run_id).timestamp, UTC).strftime("%Y-%m-%d")


def raw_source(source: str) -> str:
    """Folder of all raw runs of a source."""
    return f"raw/{source}/"


def raw_beginning(source: str) -> str:
    """Where the chain of a source's runs begins, once retention removed its first ones."""
    return f"{raw_source(source)}_beginning.json"


def raw_run(source: str, run_id: str) -> str:
    """Folder of one raw run."""
    return f"raw/{source}/dt={run_day(run_id)}/run={run_id}/"


def manifest(run_folder: str) -> str:
    """The object whose existence makes a run visible."""
    return f"{run_folder}{MANIFEST}"


def original(run_folder: str, number: int, extension: str, attempt: str = "") -> str:
    """What the source sent, byte for byte; numbered in the order of arrival from 1.

    `attempt` keeps apart what a run that was gone on with writes from what its late first owner may write.
    """
    return f"{run_folder}original/{number:06d}{attempt}.{extension}"


def decoded(run_folder: str, decoding: str, number: int, attempt: str = "") -> str:
    """Decoded rows of original `number` under one decoding."""
    return f"{run_folder}decoded/{decoding}/{number:06d}{attempt}.parquet"


def keys(run_folder: str, attempt: str = "") -> str:
    """Keys of all rows that the source had in this run."""
    return f"{run_folder}keys{attempt}.parquet"


def checkpoints(run_folder: str) -> str:
    """Folder of what an unfinished run remembers; gone once the run is visible."""
    return f"{run_folder}checkpoint/"


def checkpoint(run_folder: str, number: int) -> str:
    """How to go on after original `number`."""
    return f"{checkpoints(run_folder)}{number:06d}.json"


def decoding_manifest(run_folder: str, decoding: str) -> str:
    """The object whose existence makes a later decoding of a run visible."""
    return f"{run_folder}decoded/{decoding}/{MANIFEST}"


def source_state(source: str) -> str:
    """Head, cursor and open runs of a source."""
    return f"{STATE}/sources/{source}.json"


def lease(name: str) -> str:
    """Who may write a thing now; `name` is like `source/products` or `table/trusted.products`."""
    return f"{STATE}/leases/{name}.json"


def run_folder(run_id: str) -> str:
    """Folder of all that is kept of a run of the lake."""
    return f"{STATE}/runs/{run_id}/"


def run_record(run_id: str) -> str:
    """What a run of the lake did."""
    return f"{STATE}/runs/{run_id}/record.json"


def run_plan(run_id: str) -> str:
    """What a run of the lake was going to build, with pinned inputs and declarations."""
    return f"{STATE}/runs/{run_id}/plan.json"


def table_record(run_id: str, table: str) -> str:
    """What a run did to one table."""
    return f"{STATE}/runs/{run_id}/tables/{table}.json"


def publication_hint(table: str) -> str:
    """Where the table's current metadata is, in case the catalog is lost."""
    return f"{STATE}/publications/{table}.json"


def maintenance(table: str) -> str:
    """What a table was like when maintenance had nothing left to do."""
    return f"{STATE}/maintenance/{table}.json"


def table_folder(table: str, birth: str) -> str:
    """Folder of a table's files; `birth` tells apart tables that had the same name."""
    return f"{table_folders(table)}{birth}"


def table_folders(table: str) -> str:
    """What the folders of all tables that ever had the name begin with; a name has no hyphen."""
    return f"{WAREHOUSE}/{table.replace('.', '/')}-"


def doctor_probe(name: str) -> str:
    """An object that `lake doctor` writes and removes."""
    return f"{STATE}/doctor/{name}"


def models(name: str) -> str:
    """Folder of a declared model's trained models."""
    return f"models/{name}/"


def model(name: str, model_id: str) -> str:
    """A trained model, written once."""
    return f"{models(name)}{model_id}.json"


def tracks(name: str) -> str:
    """Folder of where a detector's series stand, a folder per publish."""
    return f"{models(name)}tracks/"


def model_state(name: str) -> str:
    """Which trained model is promoted."""
    return f"{STATE}/models/{name}.json"


def quality_results(table: str) -> str:
    """What the table's last gate found."""
    return f"{STATE}/quality/{table}.json"


def pending_results(run_id: str = "", table: str = "") -> str:
    """What a gate found until it is in `meta.quality_results`; without a run, the beginning of all of them."""
    return f"{STATE}/pending/quality/" + (f"{run_id}/{table}.json" if run_id else "")


def quality_docs() -> str:
    """Folder of the Data Docs pages."""
    return "quality/data-docs/"
