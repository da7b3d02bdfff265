"""Sends mail: the queue `notifications`, behind the topics."""

from dealerflow.composition.aws_queues import works_queue

handler = works_queue("notifications")
