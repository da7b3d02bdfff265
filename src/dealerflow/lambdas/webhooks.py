"""Posts events to subscribed URLs: the queue `webhooks`."""

from dealerflow.composition.aws_queues import works_queue

handler = works_queue("webhooks")
