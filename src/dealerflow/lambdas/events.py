"""Gives events their positions, and passes them on to webhooks and the bus: the queue `events`."""

from dealerflow.composition.aws_queues import works_queue

handler = works_queue("events")
