"""The one function that every state of the state machine shares: the order stands there now."""

from dealerflow.composition.aws_queues import updates_status

handler = updates_status()
