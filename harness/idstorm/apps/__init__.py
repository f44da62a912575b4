"""Storming a web application as it is: really served, on the loopback, to clients that post to it.

    from idstorm.apps import asgi_app, posting

    orders = Scenario(Order, environment=asgi_app("shop:app"), client=posting("/orders", id="order.id"))

The application is started in processes of its own, with the URL of the storm's database in the variable DATABASE_URL.
"""

from __future__ import annotations

from idstorm.apps.posting import posting
from idstorm.apps.serving import asgi_app, wsgi_app

__all__ = ["asgi_app", "posting", "wsgi_app"]
