from __future__ import annotations

import pytest

from dealerflow.composition.aws import own_queues
from dealerflow.composition.settings import WrongSetting

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/mine"


def test_queues_of_ones_own_are_names_with_urls() -> None:
    assert own_queues(f"mine={URL}, other = {URL}2 ") == {"mine": URL, "other": f"{URL}2"}
    assert own_queues("") == {}


@pytest.mark.parametrize(
    "text", ["mine", "mine=", "mine=sqs", f"={URL}", f"deliveries-north={URL}", f"invoices={URL}"]
)
def test_a_queue_that_cannot_be_ones_own_is_refused(text: str) -> None:
    with pytest.raises(WrongSetting, match="OWN_QUEUES"):
        own_queues(text)
