"""The arguments of `jobs/run.py`: written and read here alone, the same wherever the job runs."""

import argparse
from collections.abc import Sequence

from lake.settings import Settings, read_settings


def job_arguments(settings: Settings, run_id: str, action: str = "build") -> list[str]:
    """What stands after `run.py` on a command line; no secret is among it."""
    arguments = ["--root", settings.root, "--catalog", settings.catalog, "--region", settings.s3_region]
    if settings.s3_endpoint:
        arguments += ["--endpoint", settings.s3_endpoint]
    return [*arguments, "--run", run_id, action]


def parse_job_arguments(arguments: Sequence[str]) -> tuple[Settings, str, str]:
    """Settings, run and action of a job; everything not among the arguments comes from the environment."""
    parser = argparse.ArgumentParser("run.py", description="Build and publish the tables of a plan.")
    parser.add_argument("--root", required=True, help="where the lake lives, s3://BUCKET or s3://BUCKET/PREFIX")
    parser.add_argument("--catalog", required=True, help="sqlite:FILE, glue or rest:URL")
    parser.add_argument("--region", required=True, help="region used to sign S3 requests")
    parser.add_argument("--endpoint", default="", help="address of an S3 server that is not AWS")
    parser.add_argument("--run", required=True, help="id of the run whose plan is to be carried out")
    parser.add_argument(
        "action", choices=["build", "rollback", "drop", "check", "maintain", "train"], help="what to do with the plan"
    )
    given = parser.parse_args(arguments)
    overrides = {
        "LAKE_ROOT": given.root,
        "LAKE_CATALOG": given.catalog,
        "LAKE_S3_REGION": given.region,
        "LAKE_S3_ENDPOINT": given.endpoint,
    }
    return read_settings(overrides=overrides), given.run, given.action
