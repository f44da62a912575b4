"""A small shop: customers order, and each order gets the next number.

    POST /orders {"customer": "Ada", "amount": 3}  ->  {"id": 1, "number": 1}
    GET  /orders/1                                 ->  {"number": 1, "customer": "Ada", "amount": 3}

Where orders are kept, and how they get their number, is in two variables: SHOP_URL, and SHOP_NUMBERS, which is
`counter` or `max`.
"""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, request

from shop.models import Customer, Order, db
from shop.numbers import NUMBERS


def create_app() -> Flask:
    """Return the application, connected to the database that the environment names."""
    url = os.environ.get("SHOP_URL", "sqlite:///shop.db")
    app = Flask(__name__, instance_path=os.getcwd())
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"connect_args": {"timeout": 30}} if url.startswith("sqlite") else {}
    next_number = NUMBERS[os.environ.get("SHOP_NUMBERS", "counter")]
    db.init_app(app)

    @app.post("/orders")
    def place_order() -> tuple[dict[str, Any], int]:
        asked = request.get_json()
        customer = db.session.scalar(db.select(Customer).filter_by(name=asked["customer"]))
        order = Order(number=next_number(db.session), customer=customer, amount=asked["amount"])
        db.session.add(order)
        db.session.commit()
        return {"id": order.id, "number": order.number}, 201

    @app.get("/orders/<int:number>")
    def show_order(number: int) -> dict[str, Any]:
        order = db.session.scalars(db.select(Order).filter_by(id=number)).one()
        return {"number": order.number, "customer": order.customer.name, "amount": order.amount}

    return app


def make_tables(app: Flask) -> None:
    """Make the tables anew, with the customers of the house."""
    from shop.models import Counter

    with app.app_context():
        db.drop_all()
        db.create_all()
        db.session.add_all(
            [Counter(name="order", value=0), *(Customer(name=name) for name in ("Ada", "Grace", "Mary"))]
        )
        db.session.commit()
