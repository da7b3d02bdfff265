"""What happened. Events are recorded with the work that caused them and never change."""

from __future__ import annotations

from typing import Any

import msgspec

# Event types that the core records. A pipeline file may add its own (the `event` action).
ORDER_PLACED = "OrderPlaced"
ORDER_MOVED = "OrderMoved"
ORDER_PUT = "OrderPut"  # the administrator's override
ORDER_IMPORTED = "OrderImported"
PAYMENT_RECEIVED = "PaymentReceived"
PAYMENT_RECORDED = "PaymentRecorded"
PAYMENT_DECLINED = "PaymentDeclined"
REFUND_REQUESTED = "RefundRequested"
REFUND_RECORDED = "RefundRecorded"
INVOICE_ISSUED = "InvoiceIssued"
CREDIT_NOTE_ISSUED = "CreditNoteIssued"
VEHICLE_STARTED = "VehicleStarted"
VEHICLE_FAILED_QUALITY = "VehicleFailedQuality"
VEHICLE_SCRAPPED = "VehicleScrapped"
CAR_ANNOUNCED = "CarAnnounced"
LOAD_DEPARTED = "LoadDeparted"
DELIVERY_NOTE_ISSUED = "DeliveryNoteIssued"
FUNCTION_RETURNED = "FunctionReturned"
LINK_RENEWED = "LinkRenewed"  # the customer's old link is void

MOVES = frozenset({ORDER_PLACED, ORDER_MOVED, ORDER_PUT, ORDER_IMPORTED})


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is the state entered (None for what is no move), `by` an account id, "customer" or "dealerflow".

    For a move `step` is the step entered. `position` is given after commit by one sequencer; until then it is
    None. `at` ms since epoch.
    """

    id: str
    type: str
    at: int
    dealership: str | None = None
    order: str | None = None
    state: str | None = None
    step: str | None = None
    outcome: str | None = None
    by: str | None = None
    details: dict[str, Any] = {}
    position: int | None = None
