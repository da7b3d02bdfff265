"""What SES keeps besides what every mailer does (test_mailer.py)."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.mail import HEADER, TAG, Ses
from dealerflow.adapters.mime import message_bytes
from dealerflow.application.letters import (
    Rejected,
)
from dealerflow.domain.errors import Outage
from tests.contract.mailers import mail, refusal_of_ses
from tests.ministack import REGION, MiniStack


class Ears:
    """Hears what is asked of SES, and answers in its place where told to."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.says: AWSResponse | None = None
        self.client = Clients(REGION, tries=1).ses
        self.client.meta.events.register("before-parameter-build.sesv2.SendEmail", self._asked)
        self.client.meta.events.register("before-send", self._answer)

    def _answer(self, **_: Any) -> Any:
        return self.says

    def _asked(self, params: dict[str, Any], **_: Any) -> None:
        self.asked.append(dict(params))


@pytest.fixture
def ears(aws: MiniStack) -> Ears:
    made = Ears()
    made.client.create_email_identity(EmailIdentity="dealerflow.example")
    made.client.put_account_details(
        MailType="TRANSACTIONAL", WebsiteURL="https://dealerflow.example", ProductionAccessEnabled=True
    )
    return made


def test_ses_gets_the_mail_that_the_others_send_and_our_id_beside_it(ears: Ears) -> None:
    plain = mail(1, to="ana@münchen.example", html="")
    Ses(ears.client, "letters").send(plain)
    [asked] = ears.asked
    ours = f"{HEADER}: <{plain.message_id}>\r\n".encode()
    assert asked["Content"]["Raw"]["Data"] == ours + message_bytes(plain, linesep="\r\n")
    assert asked["Destination"] == {"ToAddresses": ["ana@xn--mnchen-3ya.example"]}
    assert asked["EmailTags"] == [{"Name": TAG, "Value": "mail_000001@dealerflow.example"}]
    assert asked["ConfigurationSetName"] == "letters"


def test_a_tag_holds_only_what_ses_allows(ears: Ears) -> None:
    Ses(ears.client).send(mail(1, message_id="mail+1=x@dealerflow.example"))
    assert ears.asked[0]["EmailTags"][0]["Value"] == "mail_1_x@dealerflow.example"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("SendingPausedException", "Email sending is disabled"),
        ("AccountSuspendedException", "The account's ability to send email has been permanently restricted"),
        ("LimitExceededException", "Daily message quota exceeded"),
        ("TooManyRequestsException", "Maximum sending rate exceeded"),
        ("MailFromDomainNotVerifiedException", "the MAIL FROM domain is not verified"),
        ("NotFoundException", "Configuration set <letters> does not exist"),
        ("MessageRejected", "Email address is not verified. The following identities failed the check"),
        ("AccessDeniedException", "not authorized to perform ses:SendEmail"),
    ],
)
def test_an_account_that_may_not_send_is_an_outage_because_no_mail_is_at_fault(
    ears: Ears, code: str, message: str
) -> None:
    ears.says = refusal_of_ses(code, message)
    with pytest.raises(Outage, match=code):
        Ses(ears.client).send(mail(1))
    ears.says = None
    Ses(ears.client).send(mail(1))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("BadRequestException", "Local address contains control or whitespace"),
        ("MessageRejected", "Email contains a virus"),
    ],
)
def test_a_mail_that_ses_refuses_is_rejected(ears: Ears, code: str, message: str) -> None:
    ears.says = refusal_of_ses(code, message)
    with pytest.raises(Rejected, match=f"ana@cars.example: {code} {message}"):
        Ses(ears.client).send(mail(1))


def test_a_sender_that_was_never_verified_is_an_outage_until_it_is(aws: MiniStack) -> None:
    client = Clients(REGION, tries=1).ses
    with pytest.raises(Outage, match="not verified"):
        Ses(client).send(mail(1))
