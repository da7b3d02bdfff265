"""Mail through Amazon SES (API version 2), each as the MIME message that the other mailers send too.

SES puts a Message-ID of its own in the place of ours (https://docs.aws.amazon.com/ses/latest/dg/header-fields.html), so a mail
that is sent twice, because the answer to the first call was lost, arrives with two of them. Ours goes along in the header
X-Dealerflow-Message-ID, and as the tag `dealerflow-message-id`, which stands in the events of a configuration set.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dealerflow.adapters.aws.errors import aws_calls, code_of
from dealerflow.adapters.mime import address_of, is_international, message_bytes
from dealerflow.application.letters import OutgoingMail, Rejected
from dealerflow.domain.errors import DealerflowError, Outage

if TYPE_CHECKING:
    from types_boto3_sesv2 import SESV2Client

HEADER = "X-Dealerflow-Message-ID"
TAG = "dealerflow-message-id"

# Our account may not send now: nothing is wrong with the mail. https://docs.aws.amazon.com/ses/latest/APIReference-V2/
NOT_NOW = frozenset(
    {
        "AccountSuspendedException",
        "LimitExceededException",
        "MailFromDomainNotVerifiedException",
        "NotFoundException",
        "SendingPausedException",
    }
)
FOR_GOOD = frozenset({"BadRequestException", "MessageRejected"})
# SES says MessageRejected also of an identity that has not been verified: of our sender, or in its sandbox of the recipient.
_NOT_VERIFIED = "not verified"
_NO_TAG = re.compile(r"[^A-Za-z0-9_.@-]")


class Ses:
    """A `Mailer`. `configuration_set`: the SES configuration set to send with."""

    def __init__(self, client: SESV2Client, configuration_set: str = "") -> None:
        self._client = client
        self._options: Any = {"ConfigurationSetName": configuration_set} if configuration_set else {}

    def send(self, mail: OutgoingMail) -> None:
        """See `Mailer.send`. Raises Outage also while the account or its sender may not send, as in SES's sandbox."""
        if is_international(mail):
            raise Rejected(
                f"{mail.to}: SES takes international addresses only with an ASCII name before the @"
            )
        content = f"{HEADER}: <{mail.message_id}>\r\n".encode() + message_bytes(mail, linesep="\r\n")
        with aws_calls("SES"):
            try:
                self._client.send_email(
                    FromEmailAddress=address_of(mail.sender),
                    Destination={"ToAddresses": [address_of(mail.to)]},
                    Content={"Raw": {"Data": content}},
                    EmailTags=[{"Name": TAG, "Value": _NO_TAG.sub("_", mail.message_id)}],
                    **self._options,
                )
            except ClientError as error:
                if refusal := _refusal(mail, error):
                    raise refusal from error
                raise


def _refusal(mail: OutgoingMail, error: ClientError) -> DealerflowError | None:
    code, said = code_of(error), error.response.get("Error", {}).get("Message", "")
    if code in NOT_NOW or (code in FOR_GOOD and _NOT_VERIFIED in said):
        return Outage(f"SES takes no mail from us now ({code}): {said}")
    return Rejected(f"{mail.to}: {code} {said}") if code in FOR_GOOD else None
