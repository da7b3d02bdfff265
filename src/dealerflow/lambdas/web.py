"""The pages and the API: everything of the HTTP API but taking orders."""

from dealerflow.composition.aws_web import serves

handler = serves()
