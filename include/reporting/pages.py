"""The marketing pages as a FastAPI app: read-only, server-rendered, every route behind the guard it is given.

The app knows nothing of Airflow: ``create_app`` takes the guard as a FastAPI dependency, which lets a reader pass or
raises an HTTPException (a 3xx with a ``Location`` header sends the browser there).
"""

from __future__ import annotations

import hashlib
import importlib.resources
import logging
from collections.abc import Awaitable, Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import jinja2
from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from fsspec.core import url_to_fs
from pydantic import ValidationError
from sqlalchemy import Engine
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError
from starlette.exceptions import HTTPException

from include.db.engine import make_engine
from include.reporting import charts, detail_data, formats, page_data, preview_data, recommender_data, recommender_words
from include.settings import Settings, load_settings

logger = logging.getLogger(__name__)

ROOM = Path(__file__).parent
STATEMENT_TIMEOUT_SECONDS = 20
"""A page that takes longer says so; it must never hold up the database the nights work on."""

OWN_FILES = ("page.css", "data-docs.css", "theme.js", "charts.js", "icon.svg", "icon-dark.svg")
STATIC_FILES: dict[str, Path] = {name: ROOM / "static" / name for name in OWN_FILES} | {
    "plotly.min.js": Path(str(importlib.resources.files("plotly"))) / "package_data" / "plotly.min.js"
}

SECURITY_HEADERS = {
    # Nothing inline but the style attributes that Plotly sets on what it draws.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
        "img-src 'self' data:; form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

UNDEFINED_TABLE, UNDEFINED_COLUMN, UNDEFINED_SCHEMA, QUERY_CANCELED = "42P01", "42703", "3F000", "57014"

Identifier = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]


class NotConfigured(Exception):
    """The settings name no database, or cannot be read."""


def create_app(guard: Callable[..., Any]) -> FastAPI:
    """The pages behind ``guard``. The database is the one of the settings, connected on the first page."""
    app = FastAPI(title="Lamplighter", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(guard)])
    database = cache(_connect)
    _add_routes(app, database)
    _add_error_pages(app)

    @app.middleware("http")
    async def secure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers.update(SECURITY_HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return app


def _connect() -> tuple[Engine, Settings]:
    try:
        settings = load_settings()
        return make_engine(settings, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS), settings
    except (ValidationError, FileNotFoundError, ValueError, ArgumentError) as error:
        raise NotConfigured from error


def _add_routes(app: FastAPI, database: Callable[[], tuple[Engine, Settings]]) -> None:
    @app.get("/")
    def morning_page() -> HTMLResponse:
        engine, settings = database()
        morning = page_data.morning(engine, settings)
        if morning.results_date is None and not morning.nights:
            return _notice(
                "No night has run yet",
                "Once the first night is done, this page shows what was sent, what was clicked and what it earned.",
                "Put landing files in place and trigger the DAG nightly_marketing, or run make night DATE=2017-11-30. "
                "make demo does all of it on real purchases.",
            )
        figures = {
            "click_rate_by_campaign": charts.click_rate_by_campaign(morning.campaigns),
            "click_rate_by_hour": charts.click_rate_by_hour(morning.hours),
            "click_rate_by_policy": charts.click_rate_by_policy(morning.choice),
            "roi_by_campaign": charts.roi_by_campaign(morning.campaigns),
            "decisions": charts.decisions_of_the_night(morning.decisions),
        }
        return _render("morning.html", page="morning", morning=morning, figures=figures, settings=settings)

    @app.get("/campaign")
    def campaign_page(campaign_id: Identifier) -> HTMLResponse:
        engine, settings = database()
        campaign = detail_data.campaign_detail(engine, campaign_id)
        if campaign is None:
            return _notice(
                "No results for this campaign",
                f"There is no report on a campaign with the id {campaign_id}.",
                status=404,
            )
        return _render("campaign.html", page="campaign", campaign=campaign, settings=settings)

    @app.get("/customer")
    def customer_page(customer_id: Identifier = "") -> HTMLResponse:
        engine, settings = database()
        wanted = customer_id.strip()
        customer = detail_data.customer_detail(engine, settings, wanted) if wanted else None
        return _render("customer.html", page="customer", customer=customer, wanted=wanted, settings=settings)

    @app.get("/preview")
    def preview_page(business_date: date | None = None) -> HTMLResponse:
        engine, settings = database()
        preview = preview_data.plan_preview(engine, business_date)
        if preview is None:
            return _notice(
                f"No preview of the night of {business_date}" if business_date else "No plan has been previewed yet",
                "A preview plans a night's messages, shows everything and sends nothing.",
                "Trigger the DAG preview_messages with a business date, or run make plan DATE=2017-11-30.",
                status=404 if business_date else 200,
            )
        figures = {
            "hours": charts.messages_by_hour(preview.everything["hours"]),
            "decisions": charts.decisions_of_the_night(preview.everything["decisions"]),
        }
        return _render("preview.html", page="preview", preview=preview, figures=figures, settings=settings)

    @app.get("/recommender")
    def recommender_page() -> HTMLResponse:
        engine, settings = database()
        report = recommender_data.recommender_report(engine)
        if not report.models:
            return _notice(
                "No model has been trained yet",
                "Once a night has trained one, this page shows how good its lists are and what they rest on.",
                "Trigger the DAG nightly_marketing, or run make night DATE=2017-11-30.",
            )
        drawn = {
            of_purpose.purpose: {
                "accuracy": charts.accuracy_by_list(of_purpose.lists),
                "frontier": charts.accuracy_against_diversity(of_purpose.frontier),
            }
            for of_purpose in (report.in_force.purposes if report.in_force else ())
        }
        return _render("recommender.html", page="recommender", report=report, drawn=drawn, settings=settings)

    @app.get("/data-quality")
    def data_quality_page(business_date: date) -> HTMLResponse:
        """Great Expectations' Data Docs of a night, as the quality gate left them below the artifacts."""
        _, settings = database()
        return _stored_page(settings, business_date)

    @app.get("/static/{name}")
    def static_file(name: str, v: str = "") -> FileResponse:
        if name not in STATIC_FILES:
            raise HTTPException(404)
        # A changed file has another URL, so the one asked for by its version never changes.
        lasting = v == _version(name)
        return FileResponse(
            STATIC_FILES[name],
            headers={"Cache-Control": "private, max-age=31536000, immutable" if lasting else "private, no-cache"},
        )


def _add_error_pages(app: FastAPI) -> None:
    """Every failure as a page a reader understands; what the operator needs goes to the log."""

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        location = (error.headers or {}).get("Location")
        if location and 300 <= error.status_code < 400:
            return RedirectResponse(location, status_code=error.status_code)
        titles = {401: "Please log in", 403: "No access", 404: "No such page", 405: "Not possible here"}
        texts = {
            401: "These pages are for people logged in to Airflow.",
            403: "Your Airflow account may not read the DAG nightly_marketing, on which these pages report.",
        }
        return _notice(
            titles.get(error.status_code, "Not possible"), texts.get(error.status_code, ""), status=error.status_code
        )

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return _notice("This address is not complete", "An id or a date is missing, too long or none.", status=400)

    @app.exception_handler(NotConfigured)
    async def not_configured(_: Request, error: NotConfigured) -> Response:
        logger.error("The marketing pages have no database: %s", _setting_names(error.__cause__))
        return _notice(
            "No marketing database is set",
            "Airflow's API server has no valid settings for Lamplighter.",
            "Set LAMPLIGHTER_DATABASE_URL where the API server runs, then restart it. Its log names the setting.",
            status=503,
        )

    @app.exception_handler(OperationalError)
    async def unreachable(_: Request, error: OperationalError) -> Response:
        if getattr(error.orig, "pgcode", None) == QUERY_CANCELED:
            logger.error("A query of the marketing pages ran longer than %s s", STATEMENT_TIMEOUT_SECONDS)
            return _notice("The figures took too long", "The database is busy. Try again in a few minutes.", status=503)
        logger.error("The marketing database cannot be reached: %s", type(error.orig).__name__)
        return _notice(
            "The marketing database cannot be reached",
            "Nothing is lost: the figures are back as soon as the database is.",
            "Check that Postgres runs and that LAMPLIGHTER_DATABASE_URL of Airflow's API server names it.",
            status=503,
        )

    @app.exception_handler(ProgrammingError)
    async def unmigrated(request: Request, error: ProgrammingError) -> Response:
        if getattr(error.orig, "pgcode", None) not in (UNDEFINED_TABLE, UNDEFINED_COLUMN, UNDEFINED_SCHEMA):
            return await failed(request, error)
        logger.error("The marketing database lacks a table or column: %s", str(error.orig).splitlines()[0])
        return _notice(
            "The marketing tables are missing or too old",
            "The database answers, but not with the tables this version reads.",
            "Run python -m include.db.migrate with the same LAMPLIGHTER_DATABASE_URL.",
            status=503,
        )

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        logger.error("A marketing page failed", exc_info=error)
        response = _notice(
            "Something went wrong", "The page could not be made. The API server's log says why.", status=500
        )
        response.headers.update(SECURITY_HEADERS)  # this answer does not pass the middleware
        return response


def _setting_names(error: BaseException | None) -> str:
    """What is wrong with the settings, without their values."""
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
    return str(error)


def _stored_page(settings: Settings, business_date: date) -> HTMLResponse:
    """The data quality report of a night; the date is all that comes from the reader."""
    kept = settings.quality.data_docs_nights
    try:
        filesystem, path = url_to_fs(settings.data_docs_page(business_date))
        return HTMLResponse(filesystem.cat_file(path))
    except FileNotFoundError:
        return _notice(
            f"No data quality report of {business_date}",
            f"The quality gate has not judged this date, or more than {kept} later ones. Results of every night are in "
            "marketing.quality_results.",
            "If it has: LAMPLIGHTER_ARTIFACTS of Airflow's API server must name the folder that the workers write to.",
            status=404,
        )
    except (OSError, ValueError, ImportError) as error:
        logger.error("The data quality report of %s cannot be read: %s", business_date, type(error).__name__)
        return _notice(
            "The report cannot be read",
            "The storage of the artifacts refuses or does not answer. Results of every night are in "
            "marketing.quality_results.",
            "Check LAMPLIGHTER_ARTIFACTS of Airflow's API server, and what it may read there.",
            status=503,
        )


@cache
def _version(name: str) -> str:
    return hashlib.sha256(STATIC_FILES[name].read_bytes()).hexdigest()[:12]


def _static_url(name: str) -> str:
    # Relative: all pages are siblings, so the link holds under whatever prefix Airflow is served.
    return f"static/{name}?v={_version(name)}"


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOM / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["static_url"] = _static_url
    for name in (
        *("number", "percent", "money", "score", "signed_score", "decimal", "long_date", "short_date", "words"),
        *("points", "policy_label", "estimator_label"),
        *("decision_label", "channel_label", "offer_sentence", "paid_label", "iso_day", "iso_moment"),
    ):
        environment.filters[name] = getattr(formats, name)
    for name in ("list_label", "list_hint", "feature_label"):
        environment.filters[name] = getattr(recommender_words, name)
    environment.globals["recommender_words"] = recommender_words
    return environment


def _render(template: str, status: int = 200, **context: Any) -> HTMLResponse:
    return HTMLResponse(_templates().get_template(template).render(**context), status_code=status)


def _notice(title: str, text: str, remedy: str = "", status: int = 200) -> HTMLResponse:
    return _render("notice.html", status, page="notice", title=title, text=text, remedy=remedy)
