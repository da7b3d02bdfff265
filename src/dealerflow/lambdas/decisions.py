"""Tells the state machines what people decided: the queue `decisions`."""

from dealerflow.composition.aws_queues import works_queue

handler = works_queue("decisions")
