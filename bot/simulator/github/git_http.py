"""git over smart HTTP: hands a request to `git http-backend` as a CGI program, for fetching only."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import Final

from bot.simulator.github.git_objects import GitRepository, environment

PATH: Final = re.compile(
    r"/(?P<owner>[^/]+)/(?P<name>[^/]+?)(?:\.git)?(?P<rest>/info/refs|/git-upload-pack|/git-receive-pack)"
)


@dataclass(frozen=True, slots=True)
class GitRequest:
    """One request of git's: `rest` is the path after the repository."""

    method: str
    rest: str
    query: str
    body: bytes
    content_type: str
    content_encoding: str
    protocol: str

    @property
    def pushes(self) -> bool:
        """Whether it would write."""
        return "git-receive-pack" in self.query or self.rest == "/git-receive-pack"


def serve(repository: GitRepository, request: GitRequest) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of git's own answer; raises CalledProcessError when git fails."""
    cgi = {
        **environment(repository.path),
        "GIT_PROJECT_ROOT": str(repository.path.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{repository.path.name}{request.rest}",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query,
        "CONTENT_TYPE": request.content_type,
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_CONTENT_ENCODING": request.content_encoding,
        "GIT_PROTOCOL": request.protocol,
        "REMOTE_USER": "x-access-token",
        "REMOTE_ADDR": "127.0.0.1",
    }
    done = subprocess.run(["git", "http-backend"], input=request.body, capture_output=True, check=True, env=cgi)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n"))
    status = int(headers.pop("Status", "200").split()[0])
    return status, headers, body
