"""S3-compatible servers and failed TLS: their responses are read, and explained."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.world import World

ROLE = "arn:aws:iam:::role/app/r1"
#: As radosgw and SeaweedFS write an error: code and message at the top of the answer.
ERROR = '<?xml version="1.0"?><Error><Code>{}</Code><Message>{}</Message><RequestId>tx1</RequestId></Error>'
SESSION = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<Credentials><AccessKeyId>ASIAOFTHESERVER</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>"""
Answer = Callable[[int, str], None]


@pytest.fixture
def server(world: World) -> Iterator[Answer]:
    """A server in place of STS that gives one answer to all; the fixture says which."""
    answer = (200, SESSION)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = answer
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            return

    def give(status: int, body: str) -> None:
        nonlocal answer
        answer = status, body

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        world.env["AWS_ENDPOINT_URL_STS"] = f"http://127.0.0.1:{serving.server_port}"
        world.config(f"[profile s3]\nrole_arn = {ROLE}\nsource_profile = base\nregion = us-east-1\n")
        try:
            yield give
        finally:
            serving.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("code", "text", "output"),
    [
        ("InvalidAccessKeyId", "The access key does not exist.", "access key"),
        ("AccessDenied", "Access Denied.", "denied"),
        ("RequestTimeTooSkewed", "The difference is too large.", "clock"),
        ("SignatureDoesNotMatch", "It does not match.", "secret"),
    ],
)
def test_an_error_at_the_top_of_the_answer_is_read(
    world: World, server: Answer, code: str, text: str, output: str
) -> None:
    """The cause is reported as for AWS's own form, and never as a bare HTTP 403."""
    server(403, ERROR.format(code, text))

    done = world.run("s3", "true")

    assert done.code == 125
    assert output in done.err.splitlines()[0] and "HTTP 403" not in done.err


def test_a_role_without_an_account_is_one_of_a_server_of_ones_own(world: World, server: Answer) -> None:
    """What radosgw prints is taken where such a server is set, by profile and as a target; AWS has no such role."""
    server(200, SESSION)

    by_profile = world.run("s3", "printenv", "AWS_ACCESS_KEY_ID")
    as_target = world.run("-p", "base", ROLE, "printenv", "AWSUDO_ROLE_ARN")
    at_aws = world.run("s3", "true", env={"AWS_ENDPOINT_URL_STS": None})

    assert (by_profile.out, as_target.out) == ("ASIAOFTHESERVER\n", f"{ROLE}\n"), by_profile.err + as_target.err
    assert at_aws.code == 125 and f"{ROLE} has no account" in at_aws.err and "endpoint_url" in at_aws.err


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, ERROR.format("InvalidAction", "x")),
        (501, ERROR.format("NotImplemented", "x")),
        (405, ERROR.format("MethodNotAllowed", "x")),
    ],
    ids=["unknown", "not implemented", "not allowed"],
)
def test_keys_on_a_server_without_their_sessions_suggest_a_role(
    world: World, server: Answer, status: int, body: str
) -> None:
    """A profile of keys alone needs GetSessionToken, which such servers do not have."""
    server(status, body)

    done = world.run("base", "true")

    assert done.code == 125
    assert "does not support GetSessionToken" in done.err and "role_arn" in done.err


def test_a_failed_tls_handshake_is_reported_with_its_reason(world: World) -> None:
    """A server that speaks no TLS has no bad certificate: OpenSSL's own reason is shown."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            listening.settimeout(20)
            for _ in range(3):  # as often as it is tried
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        port = listening.getsockname()[1]
        done = world.run("dev", "true", env={"AWS_ENDPOINT_URL_STS": f"https://127.0.0.1:{port}"})

    assert done.code == 125
    assert "TLS failed: " in done.err and "certificate" not in done.err
