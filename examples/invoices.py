"""Invoice numbers come from the application."""

from sqlalchemy.orm import Mapped, mapped_column

from idstorm.scenario import Row, Scenario, durable, faithful, holds, unique


class Invoice(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


invoices = Scenario(model=Invoice, rollback=0.2, claims=[holds(unique, durable, faithful)])
