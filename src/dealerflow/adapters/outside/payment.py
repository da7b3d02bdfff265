"""A payment provider for trials: it approves everything and no money moves."""

from __future__ import annotations

from dealerflow.application.payments import Charge


class TestCard:
    """Implements `application.payments.PaymentProvider` for the method `test_card`.

    Its reference follows from the key, so a charge that is repeated gives the same answer without anything
    being kept.
    """

    __test__ = False  # no test itself, whatever its name says

    def charge(self, key: str, method: str, amount: int, currency: str) -> Charge:  # noqa: ARG002 - takes any sum
        """Approve. A method that this provider does not know is declined."""
        if method != "test_card":
            return Charge(declined=f"there is no payment method {method}")
        return Charge(reference=f"test-{key}")
