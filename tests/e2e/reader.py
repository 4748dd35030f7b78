"""Somebody who reads a document and does what it says."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lake.settings import HOME
from tests.documents import Block, blocks, unsaid
from tests.e2e.user import Ended

PATIENCE_SECONDS = 900


@dataclass(frozen=True)
class Reader:
    """A reader at a shell in a checkout."""

    checkout: Path
    environment: Mapping[str, str]

    def types(self, command: str, folder: Path | None = None) -> Ended:
        """Run a command line to its end."""
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=folder or self.checkout,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def follows(self, document: str) -> list[str]:
        """Do what the blocks of a document say; the commands that were run.

        Files are written, commands must end with 0, and output shown below them must have been printed.
        """
        done: list[str] = []
        said: str | None = None
        for block in blocks(HOME / document):
            if block.file:
                (self.checkout / block.file).write_text(block.text, encoding="utf-8")
            elif block.kind == "sh":
                said = "\n".join(self._said(command) for command in block.commands)
                done += block.commands
                continue
            elif block.kind == "text" and said is not None:
                _compare(block, said)
            said = None
        return done

    def _said(self, command: str) -> str:
        ended = self.types(command)
        assert ended.code == 0, f"{command}\n{ended.out}\n{ended.err}"
        return f"{ended.out}\n{ended.err}"


def _compare(block: Block, said: str) -> None:
    missing = unsaid(block.text, said)
    assert not missing, f"not printed: {missing}\n{said}"
