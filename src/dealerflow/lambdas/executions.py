"""Starts state machines where orders stand: the queue `executions`."""

from dealerflow.composition.aws_queues import works_queue

handler = works_queue("executions")
