"""Archives: what comes out, and what is refused."""

import gzip
import io
import re
import zipfile
from pathlib import Path

import pytest

from ingest import archives
from ingest.archives import Limits, unpacked
from ingest.json_text import Unusable

LIMITS = Limits(bytes=10_000_000, entries=10)


def zipped(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            written = zipfile.ZipInfo(name.replace("__slash__", "/").replace("__dot__", "."), (2020, 1, 1, 0, 0, 0))
            archive.writestr(written, data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def out(folder: Path, data: bytes, pattern: str = "*", limits: Limits = LIMITS) -> list[tuple[str, int, bytes]]:
    (folder / "a").write_bytes(data)
    return [(entry.name, entry.number, entry.path.read_bytes()) for entry in unpacked(folder / "a", pattern, limits)]


def refused(folder: Path, data: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(Unusable) as caught:
        out(folder, data, limits=limits)
    assert not (folder / "a.unpacked").exists()
    return str(caught.value)


def test_what_is_no_archive_stays_as_it_is(tmp_path: Path) -> None:
    assert out(tmp_path, b"a,b\n") == [("", 0, b"a,b\n")]


def test_all_members_of_gzip_data_are_one_file(tmp_path: Path) -> None:
    assert out(tmp_path, gzip.compress(b"a,b\n") + gzip.compress(b"1,2\n" * 100_000)) == [
        ("", 0, b"a,b\n" + b"1,2\n" * 100_000)
    ]


def test_the_files_of_a_zip_come_by_name_and_those_that_match(tmp_path: Path) -> None:
    data = zipped(b__dot__csv=b"b", a__slash__a__dot__csv=b"a", readme=b"no", __MACOSX__slash__b__dot__csv=b"no")
    assert out(tmp_path, data, "*.csv") == [("a/a.csv", 1, b"a"), ("b.csv", 2, b"b")]


def test_a_single_file_needs_no_number(tmp_path: Path) -> None:
    assert out(tmp_path, zipped(one=b"1")) == [("one", 0, b"1")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gzip.compress(b"x" * 1000)[:-20], "damaged gzip data|gzip data that ends too soon"),
        (gzip.compress(b"x" * 1000)[:-8], "gzip data that ends too soon"),
        (gzip.compress(b"x" * 1000)[:-8] + b"\0" * 8, "damaged gzip data"),
        (gzip.compress(gzip.compress(b"x")), "gzip data that holds another archive"),
        (zipped(a=zipped(b=b"x")), "a zip archive that holds another archive"),
        (zipped(a=gzip.compress(b"x")), "a zip archive that holds another archive"),
        (zipped(__dot____dot____slash__a=b"x"), "a path that leads out of it"),
        (zipped(__slash__etc__slash__a=b"x"), "a path that leads out of it"),
        (zipped(**{f"a{number}": b"x" for number in range(11)}), "11 files, expected at most 10"),
        (zipped(a=b"x")[:-10], "damaged zip archive"),
        (zipped(), "expected one that matches"),
        (zipped(a=b"x" * 11_000_000), "unpacks to 11,000,000 bytes, more than max_unpacked_bytes 10,000,000"),
        (gzip.compress(b"x" * 11_000_000), "more than 10,000,000 bytes"),
    ],
)
def test_what_is_damaged_or_dangerous_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    assert re.search(said, refused(tmp_path, data))


@pytest.mark.parametrize("data", [gzip.compress(b"\0" * 5_000_000), zipped(a=b"\0" * 5_000_000)])
def test_what_grows_as_bombs_do_is_refused(tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SMALL", 1_000_000)
    assert "as bombs do" in refused(tmp_path, data)


def test_a_zip_that_lies_about_its_length_is_refused(tmp_path: Path) -> None:
    data = zipped(a=b"x" * 100_000)
    lie = data.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert refused(tmp_path, lie)
