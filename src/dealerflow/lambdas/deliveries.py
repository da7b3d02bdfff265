"""Writes delivery notes and announces cars: the queues of the delivery lines, and of one's own."""

from dealerflow.composition.aws_queues import works_queue

handler = works_queue("deliveries")
