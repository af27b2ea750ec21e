"""An OpenID provider on this machine that lets everybody in: as much of the protocol as a login needs."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "planner", "hunter2-client-secret"


class Provider:
    """Discovery, authorisation, token and keys; `stop` ends it."""

    def __init__(self) -> None:
        self.key, self.nonces = RSAKey.generate_key(2048, {"kid": "1"}), dict[str, str]()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                where = urlsplit(self.path)
                if where.path == "/authorize":
                    asked = {name: values[0] for name, values in parse_qs(where.query).items()}
                    self.send_response(302)
                    self.send_header("Location", provider.let_in(asked))
                    self.end_headers()
                else:
                    self.answer(provider.keys() if where.path == "/keys" else provider.about())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.answer(provider.token(parse_qs(body)["code"][0]))

            def answer(self, table: dict[str, Any]) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(table).encode())

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def about(self) -> dict[str, Any]:
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def keys(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False)]}

    def let_in(self, asked: dict[str, str]) -> str:
        """Where the browser goes back to, with a code."""
        code = str(len(self.nonces))
        self.nonces[code] = asked.get("nonce", "")
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, code: str) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT, "sub": "ada", "name": "Ada", "iat": now, "exp": now + 600}
        signed = jwt.encode({"alg": "RS256", "kid": "1"}, {**claims, "nonce": self.nonces[code]}, self.key)
        return {"access_token": "x", "token_type": "Bearer", "expires_in": 600, "id_token": signed}

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
