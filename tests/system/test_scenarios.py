"""The scenarios of tests/scenarios through every door of the real daemon.

`make check` plays them in one process. Here the same files are played by the daemon as a milter of both engines, as a policy
service, with both doors of Exim, and by `sekisho queue`. What a door cannot do is declared in its class (scenario_doors.py), and what is expected follows
from that.
"""
import glob
import os

import pytest

import scenarios
import sekisho
from scenario_host import Host
from scenario_others import player_of
from scenario_player import Played

ENGINES = sekisho.ENGINES[-1:]  # each test plays with both

FILES = sorted(os.path.basename(path)[:-len(".scenario")] for path in glob.glob(scenarios.FOLDER + "/*.scenario"))


@pytest.mark.parametrize("name", FILES)
def test_a_scenario_is_the_same_through_every_door(name, directory, record_property):
    cases = scenarios.read(f"{scenarios.FOLDER}/{name}.scenario")
    failures, seen = [], Played()
    for door in ("native", "libmilter", "policy", "exim", "queue"):
        host = Host(f"{directory}/{door}", "libmilter" if door == "libmilter" else "native")
        player = player_of(door, cases, host, seen)
        try:
            player.play()
        finally:
            player.door.close()
            host.stop()
        failures += [f"{door}, {failure}" for failure in player.failures]
        failures += [f"{door}: no reason: {why}" for why in player.left if why not in scenarios.LEFT]
        if player.played + sum(player.left.values()) != len(cases):
            failures.append(f"{door}: {player.played} of {len(cases)} cases were played")
        record_property(door, f"{player.played} cases, left {dict(player.left)}, declared {dict(player.declared)}")
        print(f"{name} {door}: {player.played} cases, left {dict(player.left)}, declared {dict(player.declared)}")
    assert not failures, "\n".join(failures)
