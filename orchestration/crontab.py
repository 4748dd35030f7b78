"""The only module that reads and writes the user's crontab, and there only the lake's own block."""

import shlex
import shutil
import subprocess
from dataclasses import dataclass

from lake.errors import LakeError, UsageError
from lake.settings import Settings

NEEDED = "crontab: got no such program, expected Debian's; run `apt-get install cron`"


@dataclass(frozen=True)
class Lines:
    """A crontab cut at the lake's block; `block` is None where there is none."""

    before: list[str]
    block: list[str] | None
    after: list[str]

    def text(self, block: list[str] | None) -> str:
        """The crontab with this block in place of the one it has, at the end where it has none."""
        return "".join(f"{line}\n" for line in [*self.before, *(block or []), *self.after])


def parted(text: str, home: str) -> Lines:
    """The lines before, in and after the block of the lake in this home; all others stay as they are.

    Raises UsageError when the block's first and last line do not stand there once each, in this order.
    """
    lines, (first, last) = text.removesuffix("\n").split("\n") if text else [], marks(home)
    begins, ends = ([number for number, line in enumerate(lines) if line.strip() == mark] for mark in (first, last))
    if not begins and not ends:
        return Lines(lines, None, [])
    if len(begins) != 1 or len(ends) != 1 or ends[0] < begins[0]:
        places = ", ".join(str(number + 1) for number in sorted([*begins, *ends]))
        raise UsageError(
            f"crontab: got a damaged block (marks in line {places}), expected one that begins with {first!r} "
            f"and ends with {last!r}; correct it with `crontab -e`"
        )
    return Lines(lines[: begins[0]], lines[begins[0] : ends[0] + 1], lines[ends[0] + 1 :])


def marks(home: str) -> tuple[str, str]:
    """First and last line of the block; each lake of a user has its own."""
    return f"# >>> embalse {home}", f"# <<< embalse {home}"


def command_line(when: str, environment: dict[str, str], words: list[str], log: str) -> str:
    """A crontab line; its settings stand on it alone, because a line of their own would hold for all lines below.

    Raises UsageError when cron could not read it.
    """
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
    command = f"{settings} {shlex.join(words)} >>{shlex.quote(log)} 2>&1".replace("%", "\\%")
    if "\n" in command or len(command) > 990:
        raise UsageError(f"crontab: got a line of {len(command)} characters, expected at most 990 in one; shorten LAKE_HOME")
    return f"{when} {command}"


def read_crontab(settings: Settings) -> str:
    """The user's crontab; empty when there is none.

    Raises UsageError where cron is not installed, LakeError when it refuses.
    """
    done = _crontab(settings, ["-l"])
    if done.returncode == 0:
        return done.stdout
    if "no crontab for" in done.stderr:
        return ""
    raise LakeError(f"crontab -l: {done.stderr.strip() or f'exit code {done.returncode}'}")


def write_crontab(settings: Settings, text: str) -> None:
    """Replace the user's crontab; an empty one is removed.

    Raises LakeError when cron refuses it; then the old one stays.
    """
    done = _crontab(settings, ["-"], text) if text.strip() else _crontab(settings, ["-r"])
    if done.returncode != 0:
        raise LakeError(f"crontab: it was refused, and stays as it was: {done.stderr.strip()}")


def has_crontab(settings: Settings) -> bool:
    """Whether this machine has the program."""
    return _program(settings) is not None


def _program(settings: Settings) -> str | None:
    return shutil.which("crontab", path=settings.environment.get("PATH"))


def _crontab(settings: Settings, words: list[str], text: str | None = None) -> "subprocess.CompletedProcess[str]":
    program = _program(settings)
    if program is None:
        raise UsageError(NEEDED)
    return subprocess.run(
        [program, *words], input=text, capture_output=True, text=True, env=dict(settings.environment), timeout=30, check=False
    )
