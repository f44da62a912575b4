"""A secret is hidden in whatever form a text holds it, and nothing else is."""

from __future__ import annotations

import ast
import base64
import html
import json
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from idstorm.databases.urls import mask, secrets_of
from idstorm.redaction import redact

DRIVERS = ("postgresql+psycopg", "postgresql+asyncpg", "mysql+pymysql", "mariadb+mariadbconnector", "sqlite")

Form = Callable[[str], str]
FORMS: dict[str, Form] = {
    "as it is": str,
    "repr": repr,
    "repr in a text in a dict": lambda text: repr({"error": f'it\'s "{text}"'}),
    "ascii": ascii,
    "bytes": lambda text: repr(text.encode()),
    "json": json.dumps,
    "json with its own characters": lambda text: json.dumps(text, ensure_ascii=False),
    "json in json": lambda text: json.dumps({"body": json.dumps({"password": text})}),
    "repr in json": lambda text: json.dumps(repr([text])),
    "quote": quote,
    "quote without a safe character": lambda text: quote(text, safe=""),
    "quote in lower case": lambda text: quote(text, safe="").lower() if text == text.lower() else quote(text),
    "quote_plus": quote_plus,
    "quote twice": lambda text: quote(quote(text, safe=""), safe=""),
    "html": html.escape,
    "html in json": lambda text: json.dumps(html.escape(text)),
    "numeric references": lambda text: "".join(char if char == "7" else f"&#{ord(char)};" for char in text),
    "shell": shlex.quote,
    "sql": lambda text: "'" + text.replace("'", "''") + "'",
    "conninfo": lambda text: "password='" + text.replace("\\", "\\\\").replace("'", "\\'") + "'",
}
ENCODED: dict[str, Form] = {
    "hex": lambda text: text.encode().hex(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "basic authentication": lambda text: base64.b64encode(f"app:{text}".encode()).decode(),
    "base64 of a URL": lambda text: base64.urlsafe_b64encode(f"x://app:{text}@db".encode()).decode(),
}

unlike_marks = st.characters(exclude_categories=["Cs"], exclude_characters="7")
passwords = st.text(st.sampled_from("+ \\'\"%&</:@#é€𝄞\n\tx1") | unlike_marks, min_size=3)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=50, deadline=None)
@given(password=passwords)
def test_no_form_of_a_password_is_left(form: str, password: str) -> None:
    assert "7***7" in redact(FORMS[form](f"7{password}7"), [password])


@pytest.mark.parametrize("form", ENCODED)
@settings(max_examples=50, deadline=None)
@given(password=st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=10))
def test_no_encoding_of_a_password_is_left(form: str, password: str) -> None:
    assert "***" in redact(ENCODED[form](password), [password])


@settings(max_examples=50, deadline=None)
@given(password=passwords, driver=st.sampled_from(DRIVERS))
def test_a_url_is_rendered_without_its_password_by_whatever_renders_it(password: str, driver: str) -> None:
    def url_with(password: str) -> sa.URL:
        query = {"sslpassword": password, "application_name": "x"}
        return sa.URL.create(driver, "app", password, "db", 5432, "shop", query)

    url = url_with(password)
    whole = url.render_as_string(hide_password=False)
    for shown in (whole, repr(whole), json.dumps(whole), repr(url.translate_connect_args()), unquote(whole)):
        assert f":{password}@" not in unquote_plus(redact(shown, secrets_of(url)))
        assert f":{password}@" not in unquote(redact(shown, secrets_of(url)))
    assert mask(url) == mask(url_with("another"))


@pytest.mark.parametrize("text", ["passed", "%2B", "\\u00e9", "a+b", "&amp;", ast.unparse(ast.parse("x = 'p'"))])
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text, ["tr0ub4dor&3", "pass phrase"]) == text


def test_a_long_row_of_backslashes_takes_no_time_worth_a_word() -> None:
    assert redact("\\" * 20_000, ["\\" * 40 + "x", "'\\" * 20]) == "\\" * 20_000
