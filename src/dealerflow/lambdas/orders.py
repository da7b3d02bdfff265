"""Stores accepted orders and starts their state machines: the queue `orders`."""

from dealerflow.composition.aws_queues import works_queue

handler = works_queue("orders")
