"""Why an order is held, in the trade's words: a finding of a decision to a sentence, with its figures. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from contracts.orders import Finding
from shared import money

Figure = int | str | None


def amount(figure: Figure, currency: str) -> str:
    return money.grouped(figure, currency) if isinstance(figure, int) else str(figure)


def _over(what: str) -> Callable[[Finding, str], str]:
    def told(finding: Finding, currency: str) -> str:
        if not isinstance(finding.measured, int) or not isinstance(finding.threshold, int):
            return what
        over = amount(finding.measured - finding.threshold, currency)
        return f"{what} {over}: {amount(finding.measured, currency)} of {amount(finding.threshold, currency)}"

    return told


def _plain(template: str) -> Callable[[Finding, str], str]:
    return lambda finding, _: template.format(measured=finding.measured, threshold=finding.threshold)


TOLD: Mapping[str, Callable[[Finding, str], str]] = {
    "account_open": _plain("account is {measured}, not open"),
    "not_on_stop": _plain("on stop"),
    "static_limit": _over("over limit"),
    "dynamic_limit": _over("over limit within the horizon"),
    "order_value": _over("above standard order"),
    "oldest_overdue": _plain("{measured} days overdue, at most {threshold}"),
    "overdue_share": _plain("{measured} % of the balance is overdue, at most {threshold} %"),
    "dunning_level": _plain("dunning level {measured}, must be below {threshold}"),
    "review_overdue": _plain("review overdue since {measured}"),
    "terms": _plain("asks {measured} days, terms are {threshold}"),
    "po_number": _plain("PO number missing"),
    "cash_on_delivery": _plain("cash on delivery not paid"),
    "unconnected_stock": _plain("unconnected stock {measured} %, at most {threshold} %"),
    "broken_promises": _plain("{measured} broken promises, must be below {threshold}"),
    "insurance": _plain("insurance not in force ({measured})"),
    "limit_expired": _plain("limit expired on {measured}"),
    "behind_queue": _plain("waits behind orders before it"),
}


def told(finding: Finding, currency: str) -> str:
    """`over limit 1,480.00: 101,480.00 of 100,000.00`."""
    say = TOLD.get(finding.check)
    return say(finding, currency) if say else f"{finding.check}: {finding.measured} against {finding.threshold}"
