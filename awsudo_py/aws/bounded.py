"""Reads a response up to a limit: a longer one does not come from AWS, and would fill the memory."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ConnectionClosedError, HTTPClientError, ReadTimeoutError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.exceptions import ReadTimeoutError as ReadTimedOut

#: The longest response (bytes): a hundred times that of STS with the longest token.
LONGEST = 1024 * 1024


class TooLong(ResponseParserError):  # type: ignore[misc]  # botocore has no types
    """A response that is longer than the limit."""


class BoundedSession:
    """botocore's HTTP session, which reads up to the limit and no further."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def send(self, request: Any) -> Any:
        """The response, read whole. Raises the errors of botocore's own session, and TooLong."""
        request.stream_output = True  # or botocore would read it, to its end
        response = self._session.send(request)
        chunks: list[bytes] = []
        length = 0
        try:
            for chunk in response.raw.stream():
                length += len(chunk)
                if length > LONGEST:
                    response.raw.close()  # with its connection: the rest of the answer is still on it
                    raise TooLong(f"a response of more than {LONGEST} bytes")
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
    """Make a botocore client refuse responses beyond the limit."""
    endpoint = client._endpoint  # noqa: SLF001 (botocore has no public way to choose what sends)
    endpoint.http_session = BoundedSession(endpoint.http_session)
