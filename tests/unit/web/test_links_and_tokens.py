from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from dealerflow.application.access import issue_token, read_token
from dealerflow.application.links import Links
from dealerflow.application.signatures import holds, sign
from dealerflow.domain.people import Account

SECRET = "one secret of at least thirty-two characters"
links = Links(SECRET, "https://cars.example/")
ids = st.text("abcdefghjkmnpqrstvwxyz0123456789_", min_size=1, max_size=30)


def account(epoch: int = 0) -> Account:
    return Account(id="acc_01", email="a@example.com", name="A", epoch=epoch)


@given(ids, st.integers(0, 999_999_999))
def test_a_key_gives_back_the_number_of_its_link(order: str, number: int) -> None:
    assert links.check(order, links.make(order, number)) == number


@given(ids, ids, st.integers(0, 1000))
def test_a_key_is_good_for_one_order_only(order: str, other: str, number: int) -> None:
    assume(order != other)
    assert links.check(other, links.make(order, number)) is None


@given(st.text())
def test_what_is_no_key_is_refused(key: str) -> None:
    assume(key not in {links.make("ord_1", number) for number in range(3)})
    assert links.check("ord_1", key) is None


def test_a_key_with_its_number_changed_is_refused() -> None:
    number, _, signature = links.make("ord_1", 4).partition(".")
    assert number == "4"
    assert links.check("ord_1", f"5.{signature}") is None
    assert links.check("ord_1", f"04.{signature}") is None


def test_another_secret_knows_no_key_of_ours() -> None:
    assert Links(SECRET + "x", "https://cars.example").check("ord_1", links.make("ord_1")) is None


def test_links_are_made_from_the_public_address() -> None:
    key = links.make("ord_1", 2)
    assert links.tracking_url("ord_1", 2) == f"https://cars.example/orders/ord_1?key={key}"
    assert links.payment_url("ord_1", 2).endswith(f"{key}#payment")
    assert links.mail_domain == "cars.example"


def test_what_is_signed_for_one_purpose_is_not_good_for_another() -> None:
    assert not holds(SECRET, "token", "text", sign(SECRET, "form", "text"))


@given(st.integers(0, 10**9))
def test_a_token_names_its_account_and_epoch(epoch: int) -> None:
    assert read_token(issue_token(account(epoch), SECRET), SECRET) == ("acc_01", epoch)


def test_a_token_of_another_secret_is_void() -> None:
    assert read_token(issue_token(account(), SECRET), SECRET + "x") is None


@given(st.text())
def test_what_is_no_token_is_void(text: str) -> None:
    assert read_token(text, SECRET) is None
    assert read_token("dft_" + text, SECRET) is None


@given(st.integers(0, 60), st.characters(codec="ascii"))
def test_a_token_with_one_character_changed_is_void(place: int, character: str) -> None:
    token = issue_token(account(), SECRET)
    place %= len(token)
    assume(token[place] != character)
    assert read_token(token[:place] + character + token[place + 1 :], SECRET) is None
