"""The token endpoint of a managed identity, as App Service offers it (API version 2019-08-01)."""

from __future__ import annotations

import hmac

from aiohttp import web

from include.local_cloud.keyvault.tokens import Tokens

PATH = "/msi/token"


def identity_app(tokens: Tokens, secret: str) -> web.Application:
    """The endpoint.

    :param secret: what ``X-IDENTITY-HEADER`` must say.
    """

    async def token(request: web.Request) -> web.Response:
        if not hmac.compare_digest(request.headers.get("X-IDENTITY-HEADER", "").encode(), secret.encode()):
            return _refuse(401, "The header X-IDENTITY-HEADER is missing or wrong.")
        if request.query.get("api-version") != "2019-08-01":
            return _refuse(400, "The api-version must be 2019-08-01.")
        audience = request.query.get("resource", "")
        if not audience.startswith("https://"):
            return _refuse(400, "The resource must be the https address of a service.")
        client = request.query.get("client_id")
        value, expires = tokens.issue(audience, client)
        return web.json_response(
            {
                "access_token": value,
                "expires_on": str(expires),
                "resource": audience,
                "token_type": "Bearer",
                "client_id": client or "",
            }
        )

    app = web.Application()
    app.router.add_get(PATH, token)
    return app


def _refuse(status: int, message: str) -> web.Response:
    return web.json_response({"statusCode": status, "message": message}, status=status)
