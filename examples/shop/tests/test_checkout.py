"""Ordering, as customers do it. Every test watches the orders that it places; all of them are judged together."""

import pytest
from flask.testing import FlaskClient
from shop.models import Order, db

from idstorm.pytest_plugin.joined import Join
from idstorm.scenario import Scenario

numbers = Scenario(Order, id=Order.number)


@pytest.fixture(autouse=True)
def watched(client: FlaskClient, idstorm_join: Join) -> None:
    idstorm_join(Order, session=db.session)
    idstorm_join(numbers, session=db.session)


@pytest.mark.parametrize("customer", ["Ada", "Grace", "Mary"])
@pytest.mark.parametrize("amount", range(10))
def test_an_order_is_what_was_asked_for(client: FlaskClient, customer: str, amount: int) -> None:
    for _ in range(10):
        placed = client.post("/orders", json={"customer": customer, "amount": amount}).get_json()
        order = client.get(f"/orders/{placed['id']}").get_json()
        assert order == {"number": placed["number"], "customer": customer, "amount": amount}
