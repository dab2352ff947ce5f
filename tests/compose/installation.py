"""One installation under Docker Compose, in a folder of its own, with the files of the repository."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.compose.engine import ROOT, Engine
from tests.support.eventually import eventually
from tests.support.servers import free_ports

#: Sixteen processes start at once, on machines of two cores too.
START_SECONDS: Final = 900.0
RESTART_SECONDS: Final = 300.0
FILES: Final = ("docker-compose.yml", "docker-compose.sandbox.yml")


class Installation:
    """The containers, networks and volumes of one mode."""

    def __init__(self, engine: Engine, folder: Path, environment: str, settings: Mapping[str, str]) -> None:
        """Write the files as an operator does; ``settings`` are those that the operator sets."""
        self.port = next(free_ports())
        self.url = f"http://localhost:{self.port}"
        self._engine = engine
        self._folder = folder
        self._project = f"fastcheck-{environment}"
        folder.mkdir(parents=True)
        for name in FILES:
            shutil.copy(ROOT / name, folder)
        public_url = {"FASTCHECK_PUBLIC_URL": self.url, **settings}
        command = [sys.executable, "-m", "cli", "env", "--environment", environment, "--folder", str(folder)]
        environ = {**engine.environ, **public_url}
        self.written = Engine(engine.compose, environ, is_own=False).run(*command)
        engine.environ["FASTCHECK_PORT"] = str(self.port)

    def compose(self, *arguments: str, timeout: float = RESTART_SECONDS) -> str:
        """Run Docker Compose; return its output."""
        command = [*self._engine.compose, "--project-name", self._project, *arguments]
        return self._engine.run(*command, cwd=self._folder, timeout=timeout)

    def up(self) -> None:
        """Start everything that does not run, and wait until all is healthy."""
        self.compose(
            "up", "--wait", "--no-build", "--wait-timeout", str(int(START_SECONDS)), timeout=START_SECONDS + 60
        )

    def containers(self) -> list[dict[str, Any]]:
        """Return what ``docker inspect`` knows of each container."""
        ids = self.compose("ps", "--all", "--quiet").split()
        found: list[dict[str, Any]] = json.loads(self._engine.run("docker", "inspect", *ids))
        return found

    def running(self) -> dict[str, dict[str, Any]]:
        """Return the running containers by the name of their service."""
        return {
            each["Config"]["Labels"]["com.docker.compose.service"]: each
            for each in self.containers()
            if each["State"]["Running"]
        }

    def kill_inside(self, service: str) -> None:
        """Kill the program of a container with SIGKILL, and wait until the engine has restarted it and it is healthy.

        ``docker kill`` would also end the restart policy.
        """
        before = self.running()[service]
        first = int(before["State"]["Pid"])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        # FastCheck's containers have an init, whose only child is the program.
        os.kill(int(children[0]) if before["HostConfig"]["Init"] else first, signal.SIGKILL)
        eventually(lambda: self._is_restarted(service, before["RestartCount"]), timeout=RESTART_SECONDS)

    def _is_restarted(self, service: str, restarts: int) -> bool:
        now = self.running().get(service)
        if now is None or now["RestartCount"] <= restarts:
            return False
        return bool(now["State"].get("Health", {}).get("Status", "healthy") == "healthy")

    def demo(self) -> str:
        """Run the demo against the published port."""
        return self._engine.run(sys.executable, "-m", "cli", "demo", "--url", self.url, timeout=600)

    def audit(self) -> str:
        """Audit the books; raises RuntimeError if there is a violation."""
        return self.compose("run", "--rm", "audit")

    def remove(self) -> None:
        """Remove containers, networks and volumes."""
        self.compose("down", "--volumes", "--timeout", "30")
