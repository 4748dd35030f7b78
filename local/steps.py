"""Runs the steps of the set-up: each after those it needs, independent ones at once, and none whose stamp is current."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

TAIL_LINES = 20


class StepFailed(Exception):
    """A step could not do its work; the message says what was seen and the next command."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Step:
    """One thing to set up: what it needs, whether it is there, what makes it, and what to say when that begins."""

    name: str
    needs: tuple[str, ...]
    is_done: Callable[[], bool]
    work: Callable[[], None]
    begins: str


@dataclass(frozen=True)
class Stamp:
    """A file that holds the key for which a step was last finished."""

    path: Path
    key: Callable[[], str]

    def is_current(self) -> bool:
        """Whether the step was finished for the very key it has now."""
        try:
            return self.path.read_text() == self.key()
        except OSError:
            return False

    def around(self, work: Callable[[], None]) -> Callable[[], None]:
        """The work with the stamp taken away before and written last, so that a killed step is done again."""

        def stamped() -> None:
            self.path.unlink(missing_ok=True)
            work()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(self.key())

        return stamped


def say(line: str) -> None:
    """One line for the person who waits, in one piece although several steps speak at once."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def run_step(step: Step) -> None:
    """Do the step, and say when it begins and how long it took."""
    started = time.monotonic()
    say(f"{step.name}: {step.begins}")
    step.work()
    say(f"{step.name} ... {time.monotonic() - started:.0f} s")


def run_steps(steps: Sequence[Step]) -> list[str]:
    """Do every step that is not done yet, and return the names of those.

    Raises StepFailed of the first that fails, after the running ones have ended.
    """
    waiting, running, done, worked = list(steps), dict[Future[None], str](), set[str](), list[str]()
    failed: BaseException | None = None
    with ThreadPoolExecutor(len(steps)) as pool:
        while True:
            ready = [step for step in waiting if failed is None and done.issuperset(step.needs)]
            for step in ready:
                waiting.remove(step)
                if step.is_done():
                    say(f"{step.name}: already there")
                    done.add(step.name)
                else:
                    running[pool.submit(run_step, step)] = step.name
            if ready:
                continue
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                failed = failed or future.exception()
                done.add(name)
                worked.append(name)
    if failed is not None:
        raise failed
    return worked


def command(arguments: Sequence[str | Path], next_step: str, environ: Mapping[str, str], cwd: Path | None = None) -> str:
    """Output of a program that succeeded.

    Raises StepFailed with the tail of its output and the next command when it did not.

    The program inherits the lock of the set-up, so that a second set-up does not begin while it still works.
    """
    words = [str(word) for word in arguments]
    try:
        ended = subprocess.run(
            words,
            env=dict(environ),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            close_fds=False,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise StepFailed(f"{words[0]}: cannot be started: {error.strerror}\nnext: {next_step}") from None
    if ended.returncode == 0:
        return ended.stdout
    tail = "\n".join(f"    {line}" for line in ended.stdout.splitlines()[-TAIL_LINES:])
    raise StepFailed(f"{Path(words[0]).name}: got exit code {ended.returncode}, expected 0\n{tail}\nnext: {next_step}")
