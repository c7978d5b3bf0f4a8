"""Faults as answers: problem documents (RFC 9457) under ``/v1``, Marquez's shape under ``/api/v1``."""

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.headers import NOSNIFF
from governance.errors import AssayError, TooManyRequests

log = structlog.get_logger("assay.api")


def problem(request: Request, status: int, title: str, detail: str, **extra: Any) -> JSONResponse:
    """One fault in the shape that the path's clients read."""
    headers = NOSNIFF | ({"Retry-After": "1"} if status in (409, 429, 503) else {})
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if request.url.path.startswith("/api/"):
        body: dict[str, Any] = {"code": status, "message": title, "details": detail}
        return JSONResponse(body, status, headers=headers)
    code = extra.pop("code", HTTPStatus(status).phrase.lower().replace(" ", "_"))
    body = {
        "type": f"urn:assay:error:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        **extra,
    }
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


def _assay_error(request: Request, fault: Exception) -> JSONResponse:
    if not isinstance(fault, AssayError):
        raise fault
    return refusal(request, fault)


def refusal(request: Request, fault: AssayError) -> JSONResponse:
    """The answer that says what was expected, what was found and what to do."""
    parts = {"expected": fault.expected, "found": fault.found, "remedy": fault.remedy}
    if fault.pointer is not None:
        parts["pointer"] = fault.pointer
    answer = problem(request, fault.status, fault.title, fault.message, code=fault.code, **parts)
    if isinstance(fault, TooManyRequests):
        answer.headers["Retry-After"] = str(fault.retry_after_seconds)
    return answer


def _invalid_request(request: Request, fault: Exception) -> JSONResponse:
    if not isinstance(fault, RequestValidationError):
        raise fault
    first = fault.errors()[0]
    place = "/".join(str(part) for part in first["loc"])
    return problem(
        request, 422, "The request is refused", f"{place}: {first['msg']}", code="input.refused", pointer=place
    )


def _http_error(request: Request, fault: Exception) -> JSONResponse:
    if not isinstance(fault, HTTPException):
        raise fault
    response = problem(request, fault.status_code, HTTPStatus(fault.status_code).phrase, str(fault.detail))
    response.headers.update(fault.headers or {})
    return response


def _unforeseen(request: Request, fault: Exception) -> JSONResponse:
    log.error("request.failed", path=request.url.path, exc_info=fault)
    return problem(request, 500, "The service met a fault of its own", "It is in the server's log.", code="internal")


def install(app: FastAPI) -> None:
    """Answer every fault of ``app`` in one of the two shapes."""
    app.add_exception_handler(AssayError, _assay_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unforeseen)
