from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from dealerflow.domain.billing import (
    MAX_RATE,
    STAGES,
    Term,
    amounts,
    due,
    gate_missing,
    invoice_lines,
    terms_faults,
    totals,
)
from dealerflow.domain.orders import PricedLine

PRICES = st.integers(0, 10**12)


@st.composite
def all_terms(draw: st.DrawFn) -> tuple[Term, ...]:
    stages = draw(
        st.lists(st.sampled_from(STAGES), min_size=1, unique=True).map(lambda s: sorted(s, key=STAGES.index))
    )
    cuts = sorted(
        draw(st.lists(st.integers(1, 99), min_size=len(stages) - 1, max_size=len(stages) - 1, unique=True))
    )
    percents = [end - start for start, end in zip([0, *cuts], [*cuts, 100], strict=True)]
    return tuple(Term(before=b, percent=p) for b, p in zip(stages, percents, strict=True))


@given(all_terms(), PRICES)
def test_the_amounts_sum_up_to_the_price_and_are_never_negative(terms: tuple[Term, ...], price: int) -> None:
    shares = [amount for _, amount in amounts(terms, price)]

    assert terms_faults(terms) == []
    assert sum(shares) == price
    assert min(shares) >= 0
    assert all(
        abs(share - Fraction(price * term.percent, 100)) <= Fraction(len(terms), 2)
        for share, term in zip(shares, terms, strict=True)
    )


@given(all_terms(), PRICES)
def test_paying_what_is_due_ends_at_the_price_with_each_gate_open_in_its_turn(
    terms: tuple[Term, ...], price: int
) -> None:
    paid = 0
    while (now := due(terms, price, paid)) is not None:
        amount, before = now
        assert amount > 0
        assert gate_missing(terms, price, paid, before) == amount
        paid += amount
        assert gate_missing(terms, price, paid, before) == 0

    assert paid == price
    assert all(gate_missing(terms, price, paid, stage) == 0 for stage in STAGES)


@given(all_terms(), PRICES, PRICES)
def test_a_later_stage_never_asks_for_less(terms: tuple[Term, ...], price: int, paid: int) -> None:
    missing = [gate_missing(terms, price, paid, stage) for stage in STAGES]

    assert missing == sorted(missing)
    assert missing[-1] == max(0, price - paid)


@given(
    st.lists(st.integers(0, 10**10), min_size=1, max_size=12),
    st.integers(0, MAX_RATE),
    st.one_of(st.none(), st.integers(1, 10**11)),
)
def test_net_and_tax_of_an_invoice_sum_up_to_what_was_paid(
    prices: list[int], rate: int, part: int | None
) -> None:
    priced = [
        PricedLine(kind="option", code=f"o{place}", title={"en": f"Option {place}"}, amount=amount)
        for place, amount in enumerate(prices)
    ]
    amount = sum(prices) if part is None else part
    lines = invoice_lines(priced, amount, rate, before="production")
    net, tax, gross = totals(lines)

    assert gross == amount == net + tax
    assert abs(net - Fraction(amount * 10_000, 10_000 + rate)) <= Fraction(1, 2)
    assert all(line.net >= 0 and line.tax >= 0 for line in lines)
    assert all(abs(line.net - Fraction((line.net + line.tax) * 10_000, 10_000 + rate)) < 1 for line in lines)
    if len(lines) == len(prices) and part is None:
        assert [line.net + line.tax for line in lines] == prices
