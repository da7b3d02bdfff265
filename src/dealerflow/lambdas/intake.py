"""Takes orders: `POST /api/v1/orders` of the HTTP API."""

from dealerflow.composition.aws_intake import takes_orders

handler = takes_orders()
