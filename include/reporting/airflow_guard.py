"""Who may see the pages: a user logged in to Airflow, by whichever auth manager it has, who may read the nightly DAG.

The one file below ``include`` that imports Airflow. The plugin imports it on the first request, so that schedulers and
workers, which load the plugin too, never do.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated
from urllib.parse import quote

from airflow.api_fastapi.app import API_ROOT_PATH
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user, requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials

from include.reporting.pages import create_app

DAG_ID = "nightly_marketing"
UI_ROUTE = "plugin/marketing"
"""Where Airflow's UI frames the pages."""

may_read_dag = requires_access_dag("GET", param_dag_id=DAG_ID)


async def require_reader(
    request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer_scheme)]
) -> None:
    """Let a reader pass, by the browser's cookie or a bearer token.

    Raises 401 without a valid login (a browser is sent to Airflow's login instead) and 403 without access to the DAG.
    """
    try:
        user = await get_user(request, None, bearer)
    except HTTPException as refusal:
        if "text/html" in request.headers.get("accept", ""):
            raise HTTPException(303, headers={"Location": _login_url(request)}) from refusal
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"}) from refusal
    await run_in_threadpool(may_read_dag, request, user)


@cache
def guarded_app() -> FastAPI:
    """The pages behind Airflow's login, one app per process."""
    return create_app(require_reader)


def _login_url(request: Request) -> str:
    """Airflow's login, which afterwards leads to the page asked for, inside Airflow's frame."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.headers.get("sec-fetch-dest") != "iframe":
        wanted = f"{API_ROOT_PATH}{UI_ROUTE}{wanted}"
    return f"{API_ROOT_PATH}api/v2/auth/login?next={quote(wanted, safe='')}"
