"""The laptop's own share of a spark-submit: class path, JVM options, environment, and the archive that makes it fast."""

import json
import os
from pathlib import Path

from lake.settings import Settings
from local.cache import CHECKOUT, VENV, fingerprint
from local.debian import java_home, java_version
from local.jars import SUMS, locked_jars
from local.steps import StepFailed, command
from local.venv import SITE
from store.scratch import scratch

ARCHIVE = VENV / "spark.jsa"
STAMP = VENV / ".embalse" / "spark-archive"
TRAINING = CHECKOUT / "local" / "training.py"
#: One compiler and one collector thread: a laptop's jobs are short; messages about the archive would land in stdout. With one
#: compiler Java reserves 48 MB for what it compiles, which some fifty tables fill: then it stops compiling, and all is slow.
COMPILER = ("-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m")
JVM_OPTIONS = ("-Xlog:disable", "-Xlog:all=error:stderr", "-XX:+UseSerialGC", *COMPILER)


def spark_submit() -> Path:
    """The spark-submit of the environment."""
    return VENV / "bin" / "spark-submit"


def class_path(settings: Settings) -> list[str]:
    """The locked jars, in the order of their names; an archive is valid for one order only."""
    return [str(settings.spark_jars / name) for name in locked_jars()]


def driver_options(settings: Settings) -> list[str]:
    """spark-submit's options that hold on this laptop only: jars, memory and a JVM that starts fast."""
    options = list(JVM_OPTIONS)
    if has_archive(settings):
        options += ["-Xshare:auto", f"-XX:SharedArchiveFile={ARCHIVE}"]
    if settings.spark_master.startswith("local"):
        return _options(settings, options)
    executors = f"spark.executor.extraClassPath={':'.join(class_path(settings))}"  # in processes of their own
    return [*_options(settings, options), "--conf", executors]


def spark_environment(settings: Settings) -> dict[str, str]:
    """The whole environment of a spark-submit: this one's Python and Java, loopback, and the S3 identity of the settings."""
    values = dict(settings.environment)
    python = str(VENV / "bin" / "python")
    values |= {"PYSPARK_PYTHON": python, "PYSPARK_DRIVER_PYTHON": python, "SPARK_HOME": str(SITE / "pyspark")}
    values |= {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LAUNCHER_OPTS": " ".join(JVM_OPTIONS), "AWS_REGION": settings.s3_region}
    java = java_home(settings.environment)
    if java is not None:
        values["JAVA_HOME"] = str(java)
    if settings.s3_access_key:
        values["AWS_ACCESS_KEY_ID"] = settings.s3_access_key
        values["AWS_SECRET_ACCESS_KEY"] = str(settings.s3_secret_key)
        values.pop("AWS_SESSION_TOKEN", None)
        values.pop("AWS_PROFILE", None)
    return values


def archive_key(settings: Settings) -> str:
    """What the archive is valid for: Java, PySpark, the class path and the way it was made."""
    java = java_home(settings.environment)
    pyspark = SITE / "pyspark" / "version.py"
    made = ARCHIVE.exists() and ARCHIVE.stat().st_size
    facts = (java, java and java_version(java), pyspark.exists() and pyspark, SUMS, settings.spark_jars, TRAINING, JVM_OPTIONS)
    return fingerprint(*facts, made)


def has_archive(settings: Settings) -> bool:
    """Whether the archive is there and was made for this Java, PySpark and class path."""
    try:
        return STAMP.read_text() == archive_key(settings)
    except OSError:
        return False


def make_archive(settings: Settings) -> None:
    """Make the class-data archive by one real Spark run that writes and reads a small Iceberg table.

    Raises StepFailed with the tail of the run's output.
    """
    ARCHIVE.unlink(missing_ok=True)
    with scratch() as folder:
        part = ARCHIVE.with_suffix(f".{os.getpid()}.part")
        options = _options(settings, [*JVM_OPTIONS, f"-XX:ArchiveClassesAtExit={part}"])
        environ = spark_environment(settings) | {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
        words: list[str | Path] = [spark_submit(), "--master", "local[2]", *options, TRAINING, folder]
        command(words, "make setup", environ, cwd=folder)
        if not part.exists():
            raise StepFailed("spark-archive: Java wrote no archive, expected .venv/spark.jsa\nnext: make setup")
        os.replace(part, ARCHIVE)


def _options(settings: Settings, java: list[str]) -> list[str]:
    quoted = " ".join(json.dumps(option) if " " in option else option for option in java)
    words = ["--driver-class-path", ":".join(class_path(settings)), "--driver-memory", settings.spark_memory]
    return [*words, "--driver-java-options", quoted]
