"""`lake doctor`: looks at everything a run needs, all at once and each with a time-out, and changes nothing."""

import argparse
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict
from typing import TYPE_CHECKING

from lake.errors import DoctorError, LakeError
from lake.probing import Finding, NotHere, Probe, Unwell
from lake.settings import Settings
from orchestration.printing import print_json

if TYPE_CHECKING:
    from orchestration.cli import World

Given = argparse.Namespace
#: Whoever does not answer in this time is not well.
SECONDS = 8.0
ELSE = "docs/guides/operate.md says what to do when something stops"


def doctor(settings: Settings, given: Given, world: "World") -> int:
    """One line per probe, one hint per failure.

    Raises DoctorError when any failed.
    """
    began = time.monotonic()
    findings = examined(_probes(settings, world), SECONDS)
    failed = [finding for finding in findings if finding.state == "failed"]
    if given.json:
        print_json([asdict(finding) for finding in findings])
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            print(f"{finding.state:<8} {finding.name:<{width}}  {finding.message}")
            if finding.hint:
                print(f"{'':<8} {'':<{width}}  next: {finding.hint}")
        print(f"{len(findings)} probes in {time.monotonic() - began:.1f} s: {len(failed)} failed", flush=True)
    if failed:
        raise DoctorError(f"{len(failed)} of {len(findings)} probes failed: {', '.join(each.name for each in failed)}")
    return 0


def examined(probes: Sequence[Probe], seconds: float) -> list[Finding]:
    """What became of each probe, in their order; one that has not ended after so many seconds has failed."""
    began = time.monotonic()
    futures: list[Future[Finding]] = []
    for probe in probes:
        future: Future[Finding] = Future()
        futures.append(future)
        # Daemons, so that one that hangs does not keep the command from ending.
        threading.Thread(target=_look, args=(probe, future), daemon=True, name=probe.name).start()
    return [_waited(probe, future, began + seconds, seconds) for probe, future in zip(probes, futures, strict=True)]


def _waited(probe: Probe, future: "Future[Finding]", deadline: float, seconds: float) -> Finding:
    try:
        return future.result(max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        return Finding(
            probe.name, "failed", f"no answer within {seconds:g} s", "see whether it hangs or is out of reach", seconds
        )


def _look(probe: Probe, future: "Future[Finding]") -> None:
    began = time.monotonic()

    def took() -> float:
        return round(time.monotonic() - began, 3)

    try:
        message = probe.look()
        future.set_result(Finding(probe.name, "ok", message, "", took()))
    except NotHere as why:
        future.set_result(Finding(probe.name, "skipped", str(why), "", took()))
    except Unwell as trouble:
        future.set_result(Finding(probe.name, "failed", str(trouble), trouble.hint, took()))
    except LakeError as error:
        what, _, hint = str(error).rpartition("; ")
        future.set_result(Finding(probe.name, "failed", what or hint, hint if what else ELSE, took()))
    except OSError as error:
        future.set_result(Finding(probe.name, "failed", str(error), ELSE, took()))


def _probes(settings: Settings, world: "World") -> list[Probe]:
    """Everything there is to look at."""
    from orchestration.machine_probes import machine_probes
    from store.objects import Objects
    from store.probes import store_probes

    return [*world.probes(), *machine_probes(settings), *store_probes(settings, Objects(settings)), *_sources(settings)]


def _sources(settings: Settings) -> list[Probe]:
    """The declarations, and where they are readable the hosts they name."""
    from ingest.reach import source_probes
    from lake.declared import read_declarations

    try:
        declared = read_declarations(settings)
    except LakeError as error:
        trouble = error

        def wrong() -> str:
            raise Unwell(str(trouble), "correct the declaration; docs/reference/declarations.md lists every key")

        return [Probe("declarations", wrong)]
    told = f"{len(declared.sources)} sources, {len(declared.refined)} refined tables"
    return [Probe("declarations", lambda: told), *source_probes(declared.sources, settings.environment)]
