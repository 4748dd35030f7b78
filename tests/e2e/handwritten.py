"""What somebody writes by hand for the flights, without keys, checks, gates or history: the measure for `make bench`."""

import sys
import time
import urllib.request
from pathlib import Path

import boto3
from pyspark.sql import SparkSession
from pyspark.sql import functions as F


def main(feeds: str, endpoint: str, bucket: str, folder: str) -> None:
    """Download the files, upload them, read the CSV, drop duplicates, write Parquet and three aggregates."""
    spark = (
        SparkSession.builder.config("spark.hadoop.fs.s3.impl", "org.apache.hadoop.fs.s3a.S3AFileSystem")
        .config("spark.hadoop.fs.s3a.endpoint", endpoint)
        .config("spark.hadoop.fs.s3a.path.style.access", "true")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    began = time.monotonic()
    s3 = boto3.client("s3", endpoint_url=endpoint)
    for month in range(1, 13):
        for kind in ("flights", "weather"):
            name = f"{kind}_2013-{month:02d}.csv"
            with urllib.request.urlopen(f"{feeds}/files/{name}") as answer:
                Path(folder, name).write_bytes(answer.read())
            s3.upload_file(str(Path(folder, name)), bucket, f"by-hand/raw/{kind}/{name}")
    root = f"s3a://{bucket}/by-hand"
    for kind in ("flights", "weather"):
        rows = spark.read.csv(f"{root}/raw/{kind}", header=True, inferSchema=True, nullValue="NA").dropDuplicates()
        rows.write.mode("overwrite").parquet(f"{root}/trusted/{kind}")
    flights, weather = (spark.read.parquet(f"{root}/trusted/{kind}") for kind in ("flights", "weather"))
    delay = F.avg("dep_delay")
    by_carrier = flights.groupBy("carrier").agg(F.count("*"), delay, F.percentile("dep_delay", 0.5))
    by_route = flights.groupBy("origin", "dest").agg(F.count("*"), F.avg("arr_delay"))
    by_hour = flights.groupBy("origin", "time_hour").agg(F.count("*"), delay).join(weather, ["origin", "time_hour"], "left")
    for name, frame in (("by_carrier", by_carrier), ("by_route", by_route), ("by_hour", by_hour)):
        frame.toDF(*(f"c{number}" for number in range(len(frame.columns)))).write.mode("overwrite").parquet(f"{root}/{name}")
    print(f"seconds {time.monotonic() - began:.3f}")
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
