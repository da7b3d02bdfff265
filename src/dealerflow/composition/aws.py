"""AWS: the only place where its objects meet. Every function, and the command line against a stack, begins here."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.errors import aws_calls
from dealerflow.adapters.aws.machines import StepFunctions
from dealerflow.adapters.aws.names import QUEUES, Names
from dealerflow.adapters.aws.relay import Destinations, Relay
from dealerflow.adapters.clock import SystemClock, TimeIds
from dealerflow.adapters.database import outbox
from dealerflow.adapters.database.engine import open_engine
from dealerflow.adapters.database.pipelines import PipelineLibrary
from dealerflow.adapters.database.unit_of_work import Sends, SqlDatabase
from dealerflow.application import queues
from dealerflow.application.executions import StartExecutions, TellDecisions
from dealerflow.application.functions import CallFunctions
from dealerflow.application.handling import Call, Handler, Handover
from dealerflow.application.happenings import DeliverWebhooks, PublishEvents
from dealerflow.application.links import Links
from dealerflow.application.mailing import SendMails
from dealerflow.application.orders import place_order_once
from dealerflow.application.payments import TakePayments
from dealerflow.application.ports import Clock, Ids
from dealerflow.composition.lazily import on_demand
from dealerflow.composition.pipeline_file import own_templates, pipeline_of, vocabulary_of
from dealerflow.composition.settings import Settings, WrongSetting, settings_of
from dealerflow.domain import messages as m
from dealerflow.domain.messages import Envelope
from dealerflow.pipeline.definition import Pipeline
from dealerflow.pipeline.loader import load
from dealerflow.pipeline.vocabulary import Vocabulary

# What only some functions need is imported where it is made: each bundle holds only what its function uses.

if TYPE_CHECKING:
    from dealerflow.adapters.aws.dead_letters import DeadLetterQueues, Undertaker
    from dealerflow.adapters.aws.queues import AwsQueues
    from dealerflow.application.access import PasswordHasher
    from dealerflow.application.audit import Auditor
    from dealerflow.application.letters import DocumentPrinter, LetterWriter, Mailer
    from dealerflow.application.ports import QueueFigures

TOLD_AGAIN_MS = (
    5 * 60 * 1000
)  # a decision whose move is not made by then is told to its state machine once more
FORWARDING_MS = 5_000
PATIENT_SECONDS = 50  # less than the function may run that waits for the answer
CONNECTIONS = 2  # of one function, which works one call at a time
OWN = "own"
"""The folder in a bundle where the build puts what an installation brings: its settings, pipeline file and letters."""


class AwsSystem:
    """An installation on AWS. Each part is made when it is first asked for, once."""

    def __init__(self, settings: Settings, clients: Clients, *, region: str, partition: str = "aws") -> None:
        self.settings = settings
        self.clients = clients
        self.names = Names(
            stack=settings.stack,
            region=region,
            account=settings.account,
            partition=partition,
            own_queues=own_queues(settings.own_queues),
        )
        self._event_sources = event_sources(settings.event_sources)
        self.clock: Clock = SystemClock()
        self.ids: Ids = TimeIds(self.clock.now)
        self._closing = ExitStack()

    def close(self) -> None:
        """Give back what was opened."""
        self._closing.close()

    @cached_property
    def secret(self) -> str:
        """What tokens and links are signed with. Raises Outage."""
        return self.settings.secret_key or self._kept_secret(self.names.signing_secret)

    def _kept_secret(self, name: str) -> str:
        with aws_calls("Secrets Manager"):
            return self.clients.secrets.get_secret_value(SecretId=name)["SecretString"]

    @cached_property
    def patient_clients(self) -> Clients:
        """For what must not be asked twice because an answer is late: mail, and functions of one's own, which take their time."""
        return Clients(self.names.region, answer_seconds=PATIENT_SECONDS, tries=1)

    # --- the database and what leaves it ---

    @cached_property
    def engine(self) -> sa.Engine:
        engine = open_engine(self._database_url(), connections=CONNECTIONS)
        self._closing.callback(engine.dispose)
        return engine

    def _database_url(self) -> str:
        if not self.settings.database_host:
            return self.settings.database_url
        known = msgspec.json.decode(self._kept_secret(self.names.database_secret))
        url = sa.URL.create(
            "postgresql+psycopg",
            username=known["username"],
            password=known["password"],
            host=self.settings.database_host,
            database=self.settings.database_name,
            query={"sslmode": "require"},
        )
        return url.render_as_string(hide_password=False)

    @cached_property
    def outbox(self) -> outbox.Outbox:
        return outbox.Outbox(self.engine)

    @cached_property
    def relay(self) -> Relay:
        """Forwards right after commits, and what an operator redrives."""
        return Relay(self.outbox, self._destinations, self.clock)

    @cached_property
    def scheduled_relay(self) -> Relay:
        """Forwards what was left behind, and buries what no service takes."""
        return Relay(self.outbox, self._destinations, self.clock, self._dead_letter_queues)

    @cached_property
    def _destinations(self) -> Destinations:
        clients = self.clients
        return Destinations(
            sqs=on_demand(lambda: clients.sqs),
            sns=on_demand(lambda: clients.sns),
            bus=on_demand(lambda: clients.events),
            names=self.names,
        )

    @cached_property
    def store(self) -> AwsQueues:
        """The queues as an operator sees and steers them."""
        from dealerflow.adapters.aws.queues import AwsQueues

        return AwsQueues(
            self.engine,
            sqs=on_demand(lambda: self.clients.sqs),
            functions=on_demand(lambda: self.clients.functions),
            names=self.names,
            forward=self._forward_for_a_while,
            consumers=self._event_sources,
        )

    def _forward_for_a_while(self) -> None:
        """What an operator lets go on leaves at once, as far as a page can wait for it; the schedule does the rest."""
        until = self.clock.now() + FORWARDING_MS
        self.relay.step(lambda: self.clock.now() >= until, hurried=True)

    @cached_property
    def undertaker(self) -> Undertaker:
        """Finds what SQS itself gave up."""
        from dealerflow.adapters.aws.dead_letters import Undertaker

        return Undertaker(self.engine, self.outbox, self._dead_letter_queues, self.clock)

    @cached_property
    def _dead_letter_queues(self) -> DeadLetterQueues:
        from dealerflow.adapters.aws.dead_letters import DeadLetterQueues

        return DeadLetterQueues(on_demand(lambda: self.clients.sqs), self.names)

    @cached_property
    def auditor(self) -> Auditor:
        """Reconciles what was accepted with what was done."""
        from dealerflow.adapters.database.audit.auditor import SqlAuditor

        return SqlAuditor(self.database, self.pipelines, machines=self.machines)

    def queue_figures(self) -> list[QueueFigures]:
        """See `Installation`."""
        return self.store.figures(now=self.clock.now())

    def ring(self, queues: Collection[str] = ()) -> None:
        """Nobody sleeps here: what was committed was forwarded."""

    @cached_property
    def database(self) -> SqlDatabase:
        sends = Sends(put=outbox.put, tell=self._forward, state_machines=True)
        return SqlDatabase(self.engine, self.clock, self.ids, self.pipelines, sends)

    def _forward(self, sent: Sequence[Envelope]) -> None:
        self.relay.forward(sent)

    @cached_property
    def machines(self) -> StepFunctions:
        return StepFunctions(on_demand(lambda: self.clients.step_functions), self.names)

    # --- pipeline and letters ---

    @cached_property
    def pipelines(self) -> PipelineLibrary:
        return PipelineLibrary(
            self.engine, self.pipeline, lambda text: load(text, vocabulary=self.vocabulary)
        )

    @cached_property
    def pipeline(self) -> Pipeline:
        """The pipeline that new orders follow. Raises PipelineError, WrongSetting."""
        return pipeline_of(self.settings)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return vocabulary_of(self.settings)

    @cached_property
    def links(self) -> Links:
        return Links(self.secret, self.settings.public_url)

    @cached_property
    def letters(self) -> LetterWriter:
        from dealerflow.adapters.documents.letters import TemplateLetters

        return TemplateLetters(own_templates(self.settings))

    @cached_property
    def printer(self) -> DocumentPrinter:
        return on_demand(_printer)

    @cached_property
    def mailer(self) -> Mailer:
        from dealerflow.adapters.aws.mail import Ses

        # Asked once: a mail whose answer is late would be sent twice, and SQS offers again what was not done.
        return Ses(self.patient_clients.ses)

    @cached_property
    def hasher(self) -> PasswordHasher:
        return on_demand(_hasher)

    # --- what works the messages ---

    def handlers(self) -> dict[type[m.Message], Handler]:
        """Message → handler, as on one machine but for what other services do here."""
        from dealerflow.application.actions import announce_car, publish_to_topic
        from dealerflow.application.invoices import issue_credit_note, issue_invoice
        from dealerflow.application.shipping import issue_delivery_note

        executions, decisions = StartExecutions(self.machines), TellDecisions(self.machines)
        return {
            m.PlaceOrder: place_order_once,
            m.MoveOrder: Handover(
                prepare=decisions.prepare, perform=decisions.perform, again_after_ms=TOLD_AGAIN_MS
            ),
            m.StartExecution: _call(executions),
            m.TakePayment: _call(self._payments()),
            m.IssueInvoice: issue_invoice,
            m.IssueCreditNote: issue_credit_note,
            m.IssueDeliveryNote: issue_delivery_note,
            m.AnnounceCar: announce_car,
            m.SendMail: _call(on_demand(self._mails)),
            m.PublishToTopic: publish_to_topic,
            m.CallFunction: _call(self._functions()),
            m.PublishEvent: PublishEvents(emits=True),
            m.DeliverWebhook: _call(on_demand(self._webhooks)),
        }

    def _payments(self) -> TakePayments:
        from dealerflow.adapters.outside.payment import TestCard

        return TakePayments(TestCard())

    def _mails(self) -> SendMails:
        return SendMails(self.letters, self.printer, self.mailer, self.links, sender=self.settings.mail_from)

    def _functions(self) -> CallFunctions:
        from dealerflow.adapters.aws.functions import LambdaFunctions
        from dealerflow.adapters.outside.functions import InstalledFunctions

        patient = self.patient_clients
        return CallFunctions(LambdaFunctions(on_demand(lambda: patient.functions), InstalledFunctions()))

    def _webhooks(self) -> DeliverWebhooks:
        from dealerflow.adapters.outside.webhooks import SignedPosts

        return DeliverWebhooks(
            SignedPosts(clock=self.clock, private_for_dealerships=self.settings.webhooks_to_private_addresses)
        )


def _call(handler: StartExecutions | TakePayments | SendMails | CallFunctions | DeliverWebhooks) -> Call:
    # Looked up at each call, because what stands for a handler that is made on demand makes it when it is looked into.
    return Call(
        prepare=lambda work, envelope: handler.prepare(work, envelope),  # noqa: PLW0108
        perform=lambda request, envelope: handler.perform(request, envelope),  # noqa: PLW0108
        record=lambda work, envelope, answer: handler.record(work, envelope, answer),  # noqa: PLW0108
    )


def _printer() -> DocumentPrinter:
    from dealerflow.adapters.documents.pdf import PdfPrinter

    return PdfPrinter()


def _hasher() -> PasswordHasher:
    from dealerflow.adapters.security.passwords import Argon2Hasher

    return Argon2Hasher()


def own_queues(text: str) -> dict[str, str]:
    """Name → URL, from `name=URL, …`. Raises WrongSetting."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, url = part.partition("=")
        if not equals or not name.strip() or not url.strip().startswith(("http://", "https://")):
            raise WrongSetting(
                f"OWN_QUEUES: {part!r} must be like name=https://sqs.region.amazonaws.com/account/queue"
            )
        if name.strip() in (*QUEUES, *queues.POLICIES) or name.strip().startswith(queues.DELIVERIES_PREFIX):
            raise WrongSetting(
                f"OWN_QUEUES: {name.strip()} is a queue of Dealerflow's own; give yours another name, in the pipeline file too"
            )
        found[name.strip()] = url.strip()
    return found


def event_sources(text: str) -> dict[str, str]:
    """Queue → id of its event source mapping, from `queue=id,…`."""
    pairs = (part.strip().partition("=") for part in text.split(",") if part.strip())
    return {queue: mapping for queue, _, mapping in pairs}


def random() -> float:
    """0 ≤ x < 1, for jitter."""
    return secrets.SystemRandom().random()


def of_environment(environment: Mapping[str, str] = os.environ) -> AwsSystem:
    """The installation that this function belongs to. Raises WrongSetting."""
    settings = settings_of(Path(environment.get("LAMBDA_TASK_ROOT", ".")) / OWN, environment)
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    partition = environment.get("DEALERFLOW_PARTITION", "aws")
    return AwsSystem(settings, Clients(region), region=region, partition=partition)
