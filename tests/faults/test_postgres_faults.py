"""The same made-up plans on PostgreSQL, whose server is killed and started again in the middle of each run."""

import os
import random
from pathlib import Path

import psycopg
import pytest
from tests.faults.checker import told, violations
from tests.faults.disturbing import Moment, Outage, disturbed
from tests.faults.life import expected_of
from tests.faults.plans import make_case, rules_of
from tests.faults.stores import postgres_store
from tests.postgres import Server

RUNS = max(3, int(os.environ.get("GOALGRAPH_FAULTS", "0")) // 10)


@pytest.mark.parametrize("seed", range(5_000, 5_000 + RUNS))
async def test_a_run_whose_database_server_is_restarted_keeps_every_promise(
    seed: int, tmp_path: Path, postgres: str, postgres_server: Server
) -> None:
    chance = random.Random(f"{seed} outages")
    moments = [
        Moment(chance.choice([1, 2, 4, 6])),
        *(Moment(chance.choice([5, 15])) for _ in range(chance.randint(0, 1))),
    ]
    outage = Outage(postgres_server.restart, psycopg.Error)
    case = make_case(seed)
    witness = await disturbed(case, tmp_path, postgres_store(postgres), chance, moments, outage=outage)
    history = witness.history(rules_of(case), await expected_of(case))
    assert told(violations(history)) == ""
    assert any(stretch.killed for stretch in history.stretches), "restarted when all was over"
