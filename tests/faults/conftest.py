"""The stage of the kit's tests, with instances that are processes."""

from tests.kit.conftest import _own_topics_alone, _plain_logs, stage

__all__ = ["_own_topics_alone", "_plain_logs", "stage"]
