"""Dashboards, alerts and manifests speak of what exists: metrics by their names, every service once."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.console import ops, probing
from services.console.gauges import Gauges
from services.gateway.door import Traffic
from shared.metrics import Metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
SERVICES = DEPLOY.parent / "services"
NAME = re.compile(r"\bquittance_\w+")
SUFFIXES = ("", "_total", "_bucket", "_sum", "_count")


def known() -> set[str]:
    kit = Metrics("any").registry
    Traffic(kit)
    Gauges(kit)
    families = kit.collect()
    return {family.name + suffix for family in families for suffix in SUFFIXES}


def services() -> set[str]:
    return {path.parent.name for path in SERVICES.glob("*/__main__.py")}


def manifests() -> list[dict[str, Any]]:
    base = DEPLOY / "k8s" / "base"
    resources = yaml.safe_load((base / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    return [part for name in resources for part in yaml.safe_load_all((base / name).read_text(encoding="utf-8"))]


def test_every_alert_and_panel_asks_for_a_metric_that_exists() -> None:
    files = [DEPLOY / "prometheus" / "rules.yml", *(DEPLOY / "grafana" / "dashboards").glob("*.json")]
    for file in files:
        asked = set(NAME.findall(file.read_text(encoding="utf-8")))
        assert asked
        assert asked <= known(), f"{file.name} asks for {sorted(asked - known())}"


def test_every_alert_says_what_to_do() -> None:
    [group] = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text(encoding="utf-8"))["groups"]
    assert all(set(rule["annotations"]) == {"summary", "action"} for rule in group["rules"])


def rules() -> dict[str, str]:
    [group] = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule["expr"] for rule in group["rules"]}


@pytest.mark.parametrize("command", [["check", "rules", "rules.yml"], ["test", "rules", "rules_test.yml"]])
def test_prometheus_own_tool_takes_the_rules_and_their_tests(command: list[str]) -> None:
    told = subprocess.run(["promtool", *command], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize(
    ("alert", "bound"),
    [("OldestUndecided", ops.OLDEST_LATE_S), ("OutboxOld", ops.OUTBOX_LATE_S), ("TimersLate", ops.TIMERS_LATE_S),
     ("Lag", ops.LAG_NOW), ("DecisionsSlow", ops.DECISION_BUDGET_MS / 1000)],
)  # fmt: skip
def test_an_alert_fires_at_the_bound_that_the_ops_page_draws(alert: str, bound: float) -> None:
    assert float(rules()[alert].rpartition(">")[2]) == bound


def test_every_figure_of_the_ops_page_has_an_alert() -> None:
    asked = {name for expression in rules().values() for name in NAME.findall(expression)}
    shown = set(probing.HIGHEST.values()) | {probing.SUMS[word] for word in ("lag", "parked", "quarantine", "restarts", "gaps")}
    assert shown <= asked


def test_every_panel_has_a_place_and_a_description() -> None:
    board = json.loads((DEPLOY / "grafana" / "dashboards" / "quittance.json").read_text(encoding="utf-8"))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(places) == len(set(places))
    assert all(panel["description"] and panel["targets"] for panel in board["panels"])


def test_every_service_is_deployed_once() -> None:
    deployments = [part for part in manifests() if part["kind"] == "Deployment"]
    commands = [part["spec"]["template"]["spec"]["containers"][0]["command"] for part in deployments]
    assert sorted(command[-1] for command in commands) == sorted(programs())
    assert all(command[:-1] == ["python", "-m"] and find_spec(command[-1]) for command in commands)


def test_compose_runs_every_service_once_and_prometheus_asks_each() -> None:
    composed = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    ours = {name: part for name, part in composed.items() if part.get("image") == "quittance"}
    assert sorted(part["command"][0] for part in ours.values()) == sorted({*programs(), "deploy.sandbox.acquirer"})
    assert {part["environment"]["QUITTANCE_PORT"] for part in ours.values()} == {9100}
    [job] = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    assert sorted(job["static_configs"][0]["targets"]) == [f"{name}:9100" for name in sorted(services())]


def test_gateway_and_console_know_each_other_by_a_secret_that_nobody_else_is_given() -> None:
    composed = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    given = {name for name, part in composed.items() if "QUITTANCE_GATEWAY_TOKEN" in part.get("environment", {})}
    assert given == {"gateway", "console"}
    told = [part for part in manifests() if part["kind"] == "Deployment" and "quittance-console" in json.dumps(part)]
    assert {part["metadata"]["name"] for part in told} == {"gateway", "console"}
    assert all("valueFrom" in json.dumps(part) for part in told)


def programs() -> set[str]:
    """What is run: every service, the console's worker, and what asks the card acquirer."""
    return {f"services.{name}" for name in services()} | {"services.console.worker", "services.payments.cards"}
