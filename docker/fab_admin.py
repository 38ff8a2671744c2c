"""The administrator of Airflow's pages exists and has the password of the secret; never passed as an argument."""

from __future__ import annotations

import os

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

NAME = os.environ.get("AIRFLOW_ADMIN", "admin")


def main() -> None:
    password = os.environ.pop("AIRFLOW_ADMIN_PASSWORD")
    with get_application_builder() as builder:
        security = builder.sm
        known = security.find_user(username=NAME)
        if known is not None:
            security.reset_password(known.id, password)
            print(f"{NAME} has the password of the secret")
            return
        role = security.find_role("Admin")
        if not security.add_user(NAME, "Admin", "Admin", f"{NAME}@localhost", role, password=password):
            raise SystemExit(f"The administrator {NAME} must exist; Airflow refused to add it, see above.")
        print(f"made administrator {NAME}")


if __name__ == "__main__":
    main()
