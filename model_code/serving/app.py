"""The HTTP interface: ``/rank``, ``/health``, ``/metrics``, and their schema at ``/openapi.json``."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from model_code.serving.schema import Health, Problem, RankResponse, describe, is_json_error
from model_code.serving.service import RETRY_SECONDS, RefusedError, Service
from model_code.serving.settings import ServingSettings

logger = logging.getLogger(__name__)

PROBLEMS = {
    400: "The body is no JSON.",
    404: "The user is unknown, and there is no history.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    422: "A field is missing, unknown, of the wrong type, too large or too long.",
    500: "An error of the server.",
    503: "Too many requests wait.",
}


def create_app(settings: ServingSettings) -> FastAPI:
    """Load a bundle and make its application; it is ready when this returns, and closed after its life.

    Raises:
        BundleError: when the bundle is not whole, or not the one of the settings' checksum.
        HistoriesError: when the histories cannot be used.
    """
    service = Service(settings)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    # No pages of documentation: theirs would load scripts from elsewhere.
    app = FastAPI(title="DemiNet", version=service.version, lifespan=life, docs_url=None, redoc_url=None)

    @app.post("/rank", responses=_responses(service), openapi_extra=_body_schema(service))
    async def rank(request: Request) -> Response:
        """Score candidates for a history."""
        began = time.perf_counter()
        response = await _rank(service, request)
        service.metrics.requests.labels(response.status_code).inc()
        service.metrics.seconds.observe(time.perf_counter() - began)
        return response

    @app.get("/health")
    async def health() -> Health:
        """Tell what is being served."""
        return service.health()

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Measurements for Prometheus."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return app


async def _rank(service: Service, request: Request) -> Response:
    """Answer, or say why not: nothing but a lost client's cancellation leaves this as an exception."""
    request_id = uuid4().hex
    try:
        asked = _parse(service, await _body(request, service.settings))
        return Response(await service.answer(asked, request_id), media_type="application/json")
    except RefusedError as refused:
        headers = {"Retry-After": str(RETRY_SECONDS)} if refused.status == 503 else None
        return JSONResponse({"detail": refused.detail}, refused.status, headers)
    except ClientDisconnect:
        return Response(status_code=400)  # which nobody reads, but is counted
    except Exception:
        logger.exception("request %s failed", request_id)
        return JSONResponse({"detail": f"internal error in request {request_id}, see the server's log"}, 500)


async def _body(request: Request, settings: ServingSettings) -> bytes:
    """Read the body, but no more of it than is allowed, nor for longer."""
    most = settings.max_body_bytes
    too_large = RefusedError(413, f"the body is too large, this server takes up to {most:,} bytes")
    if int(request.headers.get("content-length", 0)) > most:
        raise too_large
    body = bytearray()  # a length need not be declared
    try:
        async with asyncio.timeout(settings.body_seconds):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise too_large
    except TimeoutError:
        raise RefusedError(408, f"the body did not arrive within {settings.body_seconds:g} seconds") from None
    return bytes(body)


def _parse(service: Service, body: bytes) -> Any:
    # Straight from bytes to fields, which for a thousand candidates is several times as fast as by way of
    # the framework's own parsing.
    try:
        return service.request_type.model_validate_json(body)
    except ValidationError as error:
        errors = error.errors(include_url=False)  # once, as it takes its time where there are many
        if is_json_error(errors):
            raise RefusedError(400, f"the body is no JSON: {describe(errors)}") from None
        raise RefusedError(422, describe(errors)) from None


def _responses(service: Service) -> dict[int | str, dict[str, Any]]:
    responses: dict[int | str, dict[str, Any]] = {200: {"model": RankResponse[service.item_type]}}  # type: ignore[name-defined]
    for status, text in PROBLEMS.items():
        responses[status] = {"model": Problem, "description": text}
    return responses


def _body_schema(service: Service) -> dict[str, Any]:
    schema = service.request_type.model_json_schema()
    schema["properties"]["candidates"]["maxItems"] = service.settings.max_candidates
    history, _ = schema["properties"]["history"]["anyOf"]  # a list or null
    history["maxItems"] = service.settings.max_history
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
