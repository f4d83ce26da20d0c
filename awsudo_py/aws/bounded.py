"""Reads an answer up to a bound: what is longer is no answer of AWS's, and would fill the memory."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ConnectionClosedError, HTTPClientError, ReadTimeoutError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.exceptions import ReadTimeoutError as ReadTimedOut

#: The longest answer (bytes): a hundred times what STS gives with the longest token.
LONGEST = 1024 * 1024


class TooLong(ResponseParserError):  # type: ignore[misc]  # botocore has no types
    """An answer that goes on beyond the bound."""


class BoundedSession:
    """botocore's HTTP session, but that it reads up to the bound and no further."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def send(self, request: Any) -> Any:
        """The response, read whole. Raises what botocore's own session raises, and TooLong."""
        request.stream_output = True  # or botocore would read it, to its end
        response = self._session.send(request)
        chunks: list[bytes] = []
        length = 0
        try:
            for chunk in response.raw.stream():
                length += len(chunk)
                if length > LONGEST:
                    response.raw.close()  # with its connection: the rest of the answer is still on it
                    raise TooLong(f"an answer of more than {LONGEST} bytes")
                chunks.append(chunk)
        except ReadTimedOut as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except ProtocolError as error:
            raise ConnectionClosedError(endpoint_url=request.url, request=request, error=error) from error
        except HTTPError as error:
            raise HTTPClientError(error=error) from error
        response._content = b"".join(chunks)  # noqa: SLF001 (botocore has no public way to say what was read)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def bound(client: Any) -> None:
    """Let a botocore client read no answer beyond the bound."""
    endpoint = client._endpoint  # noqa: SLF001 (botocore has no public way to choose what sends)
    endpoint.http_session = BoundedSession(endpoint.http_session)
