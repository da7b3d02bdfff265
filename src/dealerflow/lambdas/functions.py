"""Calls functions that the pipeline attaches to states: the queue `functions`."""

from dealerflow.composition.aws_queues import works_queue

handler = works_queue("functions")
