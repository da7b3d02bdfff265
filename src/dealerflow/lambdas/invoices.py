"""Issues invoices and credit notes: the queue `invoices`."""

from dealerflow.composition.aws_queues import works_queue

handler = works_queue("invoices")
