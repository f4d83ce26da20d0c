"""A strict fake of CloudTrail's LookupEvents: one attribute, 50 events a page, two requests a second.

CloudTrail API reference, LookupEvents. The events are given as the documents that CloudTrail writes.
"""

from __future__ import annotations

import calendar
import functools
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.servers.serving import Answer, Call, Hangup, Serving, as_json

_KEYS = {"EventId", "EventName", "ReadOnly", "Username", "ResourceType", "ResourceName", "EventSource", "AccessKeyId"}


class CloudTrail(Serving):
    """CloudTrail of one account and Region.

    throttled: refuses this many requests first; a clock given enforces the rate of two a second.
    """

    def __init__(self, events: Sequence[dict[str, Any]], *, clock: Callable[[], float] | None = None) -> None:
        super().__init__()
        self.events = sorted(events, key=lambda event: str(event["eventTime"]), reverse=True)
        self.throttled = 0
        self.denied = ""
        self.requests: list[dict[str, Any]] = []
        self._clock = clock
        self._times: list[float] = []

    def answer(self, call: Call) -> Answer | Hangup:
        """LookupEvents, and no other action."""
        if not call.headers.get("X-Amz-Target", "").endswith("CloudTrail_20131101.LookupEvents"):
            return _refused("UnknownOperationException", "")
        if "/cloudtrail/aws4_request" not in call.headers.get("Authorization", ""):
            return _refused("MissingAuthenticationTokenException", "Missing Authentication Token")
        if self.denied:
            return _refused("AccessDeniedException", self.denied)
        sent = json.loads(call.body)
        if self.throttled or self._too_fast():
            self.throttled = max(self.throttled - 1, 0)
            return _refused("ThrottlingException", "Rate exceeded")
        self.requests.append(sent)
        attributes = sent.get("LookupAttributes", [])
        if len(attributes) > 1 or any(each["AttributeKey"] not in _KEYS for each in attributes):
            return _refused("InvalidLookupAttributesException", "Lookup attributes are not valid.")
        size = sent.get("MaxResults", 50)
        if not 1 <= size <= 50:
            return _refused("InvalidMaxResultsException", "A max results value of 1 to 50 is required.")
        if sent.get("StartTime", 0) > sent.get("EndTime", 1 << 40):
            return _refused("InvalidTimeRangeException", "Start time cannot be after end time.")
        found = [event for event in self.events if self._matches(event, sent)]
        start = int(sent.get("NextToken", "0"))
        page: dict[str, Any] = {"Events": [_as_event(event) for event in found[start : start + size]]}
        if start + size < len(found):
            page["NextToken"] = str(start + size)
        return as_json(page)

    def _too_fast(self) -> bool:
        if self._clock is None:
            return False
        now = self._clock()
        self._times = [at for at in self._times if now - at < 1]
        if len(self._times) >= 2:
            return True
        self._times.append(now)
        return False

    @staticmethod
    def _matches(event: dict[str, Any], sent: dict[str, Any]) -> bool:
        if not sent.get("StartTime", 0) <= _moment(event) <= sent.get("EndTime", 1 << 40):
            return False
        for attribute in sent.get("LookupAttributes", []):
            if attribute["AttributeKey"] == "EventName" and event["eventName"] != attribute["AttributeValue"]:
                return False
        return True


def _moment(event: dict[str, Any]) -> float:
    return _seconds(event["eventTime"])


@functools.cache
def _seconds(text: str) -> float:
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def _as_event(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "EventId": event.get("eventID", ""),
        "EventName": event["eventName"],
        "EventTime": _moment(event),
        "EventSource": "sts.amazonaws.com",
        "CloudTrailEvent": json.dumps(event),
    }


def _refused(code: str, message: str) -> Answer:
    return as_json({"__type": code, "message": message}, 400)
