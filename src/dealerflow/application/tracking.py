"""The customer's link: a new one makes the old one void."""

from __future__ import annotations

from dealerflow.application.orders import record, visible
from dealerflow.application.work import UnitOfWork
from dealerflow.domain import events
from dealerflow.domain.errors import Forbidden
from dealerflow.domain.orders import Order
from dealerflow.domain.people import Caller


def works_for(caller: Caller, order: Order) -> bool:
    """Whether the caller is of the order's dealership."""
    return bool({order.dealership, ""} & caller.dealerships)


def renew_link(work: UnitOfWork, caller: Caller, order_id: str) -> int:
    """The number of the order's new link. Open to its dealership and to administrators. Raises NotFound, Forbidden."""
    order = visible(work, caller, order_id, lock=True)
    if not (works_for(caller, order) or caller.has("admin")):
        raise Forbidden("a new link is made by the dealership or an administrator")
    number = work.orders.renew_link(order.id)
    record(work, order, events.LINK_RENEWED, by=caller.name)
    return number
