"""The choice of a car as the order page shows it: what can be had, what each part costs, which rule is broken, what it all costs.

Pure: from the snapshot that intake holds and the form as it was sent. The rules themselves are `domain.catalogue`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from dealerflow.domain.billing import Term
from dealerflow.domain.catalogue import (
    Colour,
    Model,
    ModelIndex,
    Option,
    Trim,
    VehicleChoice,
    broken_rules,
    quote,
)
from dealerflow.domain.intake import Snapshot, SnapshotDealership
from dealerflow.domain.languages import Text, in_language
from dealerflow.domain.money import Money
from dealerflow.web.pages.fields import Fields
from dealerflow.web.pages.texts import Texts

NO_SWATCH = "#8a949b"


class Pick(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to choose. `extra` is its price. `notes` are its rules, `fault` the one that the choice breaks.

    `closed`: it cannot be had with what is chosen (and is not chosen).
    """

    code: str
    title: str
    chosen: bool
    extra: Money | None = None
    swatch: str = NO_SWATCH
    shape: str = "saloon"
    notes: tuple[str, ...] = ()
    fault: str | None = None
    closed: bool = False


class PriceLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the price."""

    title: str
    amount: Money


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """The whole choice. `whole`: a dealership is chosen and no rule is broken, so it can be ordered.

    `total` is None, and there are no `lines`, where the model has no price in the dealership's currency.
    """

    dealerships: tuple[Pick, ...]
    models: tuple[Pick, ...]
    trims: tuple[Pick, ...]
    colours: tuple[Pick, ...]
    options: tuple[Pick, ...]
    lines: tuple[PriceLine, ...]
    total: Money | None
    terms: tuple[Term, ...]
    choice: VehicleChoice
    dealership: SnapshotDealership | None
    swatch: str
    shape: str

    @property
    def faults(self) -> tuple[str, ...]:
        """Every broken rule, in the order of the page."""
        picks = (*self.models, *self.trims, *self.colours, *self.options)
        return tuple(pick.fault for pick in picks if pick.fault)

    @property
    def whole(self) -> bool:
        """Whether it can be ordered as it is."""
        return self.dealership is not None and self.total is not None and not self.faults

    @property
    def title(self) -> str:
        """Model, trim and colour in words."""
        rows = (self.models, self.trims, self.colours)
        return " · ".join(pick.title for row in rows for pick in row if pick.chosen)


def configure(snapshot: Snapshot, fields: Fields, t: Texts) -> Configuration:
    """The choice that these fields make; what they leave open, or what another model does not have, is the first there is."""
    return _Configurator(snapshot, fields, t).configuration()


class _Configurator:
    def __init__(self, snapshot: Snapshot, fields: Fields, t: Texts) -> None:
        self._snapshot = snapshot
        self._fields = fields
        self._t = t
        self._dealership = self._chosen_dealership()
        self._index = self._chosen_model()
        self._model = self._index.model
        self._trim = self._index.trims.get(fields.text("trim"), self._model.trims[0])
        self._colour = self._chosen_colour()
        wanted = fields.all("options")
        self._options = tuple(option.code for option in self._model.options if option.code in wanted)
        self._currency = self._chosen_currency()

    def configuration(self) -> Configuration:
        choice = VehicleChoice(
            model=self._model.code, trim=self._trim.code, colour=self._colour.code, options=self._options
        )
        priced = quote(self._snapshot.catalogue, choice, self._currency) if self._currency else None
        return Configuration(
            dealerships=tuple(self._dealership_picks()),
            models=tuple(self._model_pick(model) for model in self._snapshot.catalogue.models),
            trims=tuple(self._pick(trim, self._trim) for trim in self._model.trims),
            colours=tuple(self._colour_pick(colour) for colour in self._model.colours),
            options=tuple(self._option_pick(option) for option in self._model.options),
            lines=tuple(
                PriceLine(title=self._say(line.title), amount=Money(line.amount, priced.total.currency))
                for line in priced.lines
                if line.amount or line.kind in {"model", "trim", "colour"}
            )
            if priced
            else (),
            total=priced.total if priced else None,
            terms=self._dealership.terms if self._dealership else (),
            choice=choice,
            dealership=self._dealership,
            swatch=self._colour.swatch or NO_SWATCH,
            shape=self._model.shape,
        )

    # --- what is chosen

    def _open_dealerships(self) -> list[SnapshotDealership]:
        known = (dealership for dealership in self._snapshot.dealerships.values() if dealership.active)
        return sorted(known, key=lambda dealership: dealership.name.casefold())

    def _chosen_dealership(self) -> SnapshotDealership | None:
        wanted = self._fields.text("dealership")
        open_to_all = self._open_dealerships()
        if len(open_to_all) == 1:
            return open_to_all[0]
        return next((dealership for dealership in open_to_all if dealership.id == wanted), None)

    def _chosen_model(self) -> ModelIndex:
        known = self._snapshot.catalogue.model_index
        wanted = self._fields.text("model")
        if wanted in known:
            return known[wanted]
        return next(
            (index for index in known.values() if self._sells(index.model.code)), next(iter(known.values()))
        )

    def _chosen_colour(self) -> Colour:
        wanted = self._index.colours.get(self._fields.text("colour"))
        if wanted is not None:
            return wanted
        fitting = (c for c in self._model.colours if not c.trims or self._trim.code in c.trims)
        return next(fitting, self._model.colours[0])

    def _chosen_currency(self) -> str | None:
        """The dealership's; before one is chosen the catalogue's first. None: the model has no price in it."""
        currency = self._dealership.currency if self._dealership else self._snapshot.catalogue.currencies[0]
        return currency if currency in self._index.lines else None

    def _sells(self, model: str) -> bool:
        return self._dealership is None or self._dealership.models is None or model in self._dealership.models

    # --- what can be chosen

    def _dealership_picks(self) -> Iterator[Pick]:
        for dealership in self._open_dealerships():
            chosen = self._dealership is not None and dealership.id == self._dealership.id
            yield Pick(code=dealership.id, title=dealership.name, chosen=chosen)

    def _model_pick(self, model: Model) -> Pick:
        chosen, sold = model.code == self._model.code, self._sells(model.code)
        name = self._dealership.name if self._dealership else ""
        reason = None if sold else self._t("order.not_sold", dealership=name)
        colour = self._colour if chosen else model.colours[min(1, len(model.colours) - 1)]
        return Pick(
            code=model.code,
            title=self._say(model.title),
            chosen=chosen,
            extra=self._price(model),
            swatch=colour.swatch or NO_SWATCH,
            shape=model.shape,
            notes=(reason,) if reason and not chosen else (),
            fault=reason if chosen else None,
            closed=not chosen and not sold,
        )

    def _pick(self, item: Trim, chosen: Trim) -> Pick:
        return Pick(
            code=item.code,
            title=self._say(item.title),
            chosen=item.code == chosen.code,
            extra=self._price(item),
        )

    def _colour_pick(self, colour: Colour) -> Pick:
        chosen = colour.code == self._colour.code
        fits = not colour.trims or self._trim.code in colour.trims
        note = self._t("order.rule.trims", trims=self._trims(colour.trims)) if colour.trims else None
        title = self._say(colour.title)
        return Pick(
            code=colour.code,
            title=title,
            chosen=chosen,
            extra=self._price(colour),
            swatch=colour.swatch or NO_SWATCH,
            notes=(note,) if note else (),
            fault=None
            if fits or not chosen
            else self._t("order.broken.trims", **self._only_for(title, colour.trims)),
            closed=not fits and not chosen,
        )

    def _option_pick(self, option: Option) -> Pick:
        chosen = option.code in self._options
        broken = list(broken_rules(option, self._options, self._trim.code)) if chosen else []
        title = self._say(option.title)
        said = [
            self._t("order.broken.trims", **self._only_for(title, others))
            if rule == "trims"
            else self._t(f"order.broken.{rule}", option=title, other=self._titles(others))
            for rule, others in broken
        ]
        return Pick(
            code=option.code,
            title=title,
            chosen=chosen,
            extra=self._price(option),
            notes=tuple(self._rules(option)),
            fault=" ".join(said) or None,
            closed=not chosen and bool(option.trims) and self._trim.code not in (option.trims or ()),
        )

    def _rules(self, option: Option) -> Iterator[str]:
        if option.needs:
            yield self._t("order.rule.needs", others=self._titles(option.needs))
        against = [other.code for other in self._model.options if option.code in other.excludes]
        excluded = tuple(dict.fromkeys((*option.excludes, *against)))
        if excluded:
            yield self._t("order.rule.excludes", others=self._titles(excluded))
        if option.trims:
            yield self._t("order.rule.trims", trims=self._trims(option.trims))

    # --- how it is said

    def _only_for(self, title: str, trims: Sequence[str] | None) -> dict[str, str]:
        return {"option": title, "trims": self._trims(trims), "trim": self._say(self._trim.title)}

    def _titles(self, codes: Sequence[str]) -> str:
        known = self._index.options
        return ", ".join(self._say(known[code].title) if code in known else code for code in codes)

    def _trims(self, codes: Sequence[str] | None) -> str:
        known = self._index.trims
        return ", ".join(self._say(known[code].title) if code in known else code for code in codes or ())

    def _say(self, title: Text) -> str:
        return in_language(title, self._t.language)

    def _price(self, item: Model | Trim | Colour | Option) -> Money | None:
        if self._currency is None or self._currency not in item.price:
            return None
        return Money(item.price[self._currency], self._currency)
