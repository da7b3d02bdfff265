"""Invoicing is a process that can be down: payments go on, and every one gets its invoice when it is back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.faults.served import Served, serving
from tests.faults.told import people_of
from tests.faults.verdict import Ledger, audit_is_clean, nothing_is_doubled

PAYMENTS = 20


@contextmanager
def serve_leaves_invoices_out(data: Path) -> Iterator[Served]:
    with serving(data, "--except", "invoices") as served:
        yield served


@contextmanager
def a_worker_leaves_invoices_out(data: Path) -> Iterator[Served]:
    with serving(data, "--no-workers") as served, served.worker("--except", "invoices"):
        yield served


@pytest.mark.parametrize("without_invoicing", [serve_leaves_invoices_out, a_worker_leaves_invoices_out])
def test_payments_are_taken_while_invoicing_is_down_and_each_gets_its_invoice_later(
    tmp_path: Path, without_invoicing: Callable[[Path], AbstractContextManager[Served]]
) -> None:
    with without_invoicing(tmp_path / "data") as served, people_of(served, unworked=("invoices",)) as people:
        orders = [people.customer.orders(("northside", "harbour")[number % 2]) for number in range(PAYMENTS)]
        people.settles()
        for order in orders:
            people.dealer_of(order).decides(order, "accept")
        people.settles()
        for order in orders:
            people.customer.pays(order)
        people.settles()
        assert Counter(order.now["payment"]["status"] for order in orders) == {"paid": PAYMENTS}
        assert Counter(order.now["invoice"]["status"] for order in orders) == {"none": PAYMENTS}
        assert people.queue("invoices")["waiting"] == PAYMENTS
        people.production.decides(orders[0], "start_production", line="A")
        orders[0].reaches("production_started")

        with served.worker("invoices"), people_of(served) as all_of_them:
            all_of_them.settles()
        assert Counter(order.now["invoice"]["status"] for order in orders) == {"issued": PAYMENTS}
        assert audit_is_clean(served)["documents"] == PAYMENTS
        nothing_is_doubled(Ledger(served), in_production=1)
