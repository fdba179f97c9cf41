"""The Airflow plugin: registration only. The page itself lives in ``include/reporting``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


async def marketing_pages(scope: Scope, receive: Receive, send: Send) -> None:
    """The pages, built on the first request: every Airflow process loads plugins, the API server alone serves them."""
    from include.reporting.airflow_guard import guarded_app

    await guarded_app()(scope, receive, send)


PAGES = [{"name": "Lamplighter marketing pages", "app": marketing_pages, "url_prefix": "/marketing"}]

# Addresses are relative to Airflow's base URL, which may have a path of its own.
NAVIGATION = [
    {
        "name": "Marketing",
        "href": "marketing/",
        "destination": "nav",
        "nav_top_level": True,
        "url_route": "marketing",
        "icon": "marketing/static/icon.svg",
        "icon_dark_mode": "marketing/static/icon-dark.svg",
    }
]


class LamplighterPlugin(AirflowPlugin):
    """ "Marketing" in Airflow's navigation, framed by Airflow's UI at /plugin/marketing."""

    name = "lamplighter"
    fastapi_apps = PAGES
    external_views = NAVIGATION
