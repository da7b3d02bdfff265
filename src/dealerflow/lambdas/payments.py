"""Charges payments: the queue `payments`."""

from dealerflow.composition.aws_queues import works_queue

handler = works_queue("payments")
