"""Dashboards, alerts and manifests speak of what exists: metrics by their names, every service once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from services.gateway.door import Traffic
from shared.metrics import Metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
SERVICES = DEPLOY.parent / "services"
NAME = re.compile(r"\bquittance_\w+")
SUFFIXES = ("", "_total", "_bucket", "_sum", "_count")


def known() -> set[str]:
    kit = Metrics("any").registry
    Traffic(kit)
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


def test_every_panel_has_a_place_and_a_description() -> None:
    board = json.loads((DEPLOY / "grafana" / "dashboards" / "quittance.json").read_text(encoding="utf-8"))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(places) == len(set(places))
    assert all(panel["description"] and panel["targets"] for panel in board["panels"])


def test_every_service_is_deployed_once() -> None:
    deployments = [part for part in manifests() if part["kind"] == "Deployment"]
    containers = [part["spec"]["template"]["spec"]["containers"][0] for part in deployments]
    assert sorted(container["args"] for container in containers) == [["serve", name] for name in sorted(services())]
