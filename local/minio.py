"""MinIO, the S3 of a laptop: how it is started, how it is known to answer, and which settings it gives."""

import hashlib
import hmac
import http.client
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime

from lake.errors import LakeError, UsageError
from lake.settings import S3_GROUP, Settings
from local.minio_build import minio_binary
from local.state import ServerState

NAME = "minio"
VARIABLES = S3_GROUP
BUCKET = "lake"
REGION = "us-east-1"
START_SECONDS = 30.0


def new_secrets() -> dict[str, str]:
    """Credentials of a new server."""
    return {"access_key": secrets.token_hex(10), "secret_key": secrets.token_urlsafe(30)}


def address(state: ServerState) -> str:
    """Where the server answers."""
    return f"http://127.0.0.1:{state.port}"


def prepare(settings: Settings, state: ServerState) -> None:
    """See that there is something to start.

    Raises UsageError when the set-up did not run.
    """
    binary = minio_binary(settings.environment)
    if not binary.exists():
        raise UsageError(f"minio: got no {binary.name} in the cache, expected the set-up to have built it; run `make setup`")
    (settings.local / "minio").mkdir(parents=True, exist_ok=True)


def command(settings: Settings, state: ServerState) -> list[str]:
    """What starts the server; its credentials travel in the environment."""
    binary = str(minio_binary(settings.environment))
    return [binary, "server", str(settings.local / "minio"), "--address", f"127.0.0.1:{state.port}", "--quiet"]


def environment(settings: Settings, state: ServerState) -> dict[str, str]:
    """Environment of the server, free of MinIO settings of the user's own."""
    kept = {name: value for name, value in settings.environment.items() if not name.startswith("MINIO_")}
    identity = {"MINIO_ROOT_USER": state.secrets["access_key"], "MINIO_ROOT_PASSWORD": state.secrets["secret_key"]}
    return {**kept, **identity, "MINIO_BROWSER": "off", "MINIO_UPDATE": "off", "MINIO_CI_CD": "1"}


def answers(settings: Settings, state: ServerState) -> bool:
    """Whether the server lists its buckets for the credentials we hold."""
    return _signed("GET", "/", state) == 200


def provision(settings: Settings, state: ServerState) -> None:
    """Make the bucket unless it is there.

    Raises LakeError when the server refuses.
    """
    status = _signed("PUT", f"/{BUCKET}", state)
    if status not in (200, 409):
        raise LakeError(f"minio: creating bucket {BUCKET}: got status {status}, expected 200 or 409; see .lake/logs/minio.log")


def variables(state: ServerState) -> dict[str, str]:
    """Settings by which the lake finds the server."""
    return {
        "LAKE_ROOT": f"s3://{BUCKET}",
        "LAKE_S3_ENDPOINT": address(state),
        "LAKE_S3_ACCESS_KEY_ID": state.secrets["access_key"],
        "LAKE_S3_SECRET_ACCESS_KEY": state.secrets["secret_key"],
    }


def _signed(method: str, path: str, state: ServerState) -> int | None:
    """Status of an empty S3 request signed by AWS Signature Version 4; nothing when nobody answers.

    A dozen lines instead of boto3, whose import alone would cost more than all of `lake up`.
    """
    host, moment = f"127.0.0.1:{state.port}", datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    empty = hashlib.sha256(b"").hexdigest()
    headers = {"host": host, "x-amz-content-sha256": empty, "x-amz-date": moment}
    headers["authorization"] = _authorization(method, path, headers, state.secrets)
    connection = http.client.HTTPConnection("127.0.0.1", state.port, timeout=2)
    try:
        connection.request(method, path, headers=headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _authorization(method: str, path: str, headers: Mapping[str, str], identity: Mapping[str, str]) -> str:
    moment, names = headers["x-amz-date"], ";".join(headers)
    scope = f"{moment[:8]}/{REGION}/s3/aws4_request"
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"{method}\n{path}\n\n{lines}\n{names}\n{headers['x-amz-content-sha256']}"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{identity['secret_key']}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return f"AWS4-HMAC-SHA256 Credential={identity['access_key']}/{scope}, SignedHeaders={names}, Signature={signature}"
