"""Politeness towards a host, whichever sources ask it."""

import threading

from ingest.hosts import Hosts


def test_sources_of_one_host_share_its_rate_and_others_have_their_own() -> None:
    hosts, slept = Hosts(), list[tuple[str, float]]()
    for url in ("http://h/a", "http://ann:pw@H/b", "http://other/c", "http://h/d"):
        with hosts.turn(url, 4, 2, lambda: 100.0, lambda seconds, url=url: slept.append((url, seconds))):  # type: ignore[misc]
            pass
    assert slept == [("http://ann:pw@H/b", 0.5), ("http://h/d", 1.0)]


def test_no_more_than_allowed_are_at_a_host_at_once() -> None:
    hosts, inside, most, lock = Hosts(), [0], [0], threading.Lock()
    barrier = threading.Barrier(6)

    def ask() -> None:
        barrier.wait()
        with hosts.turn("http://h/", 2, None, lambda: 0.0, lambda seconds: None):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            threading.Event().wait(0.01)
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= most[0] <= 2
    assert hosts.hosts["h"].running == 0
